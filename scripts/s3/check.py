"""Accesses the bucket for s3.sh: check.py COMMAND PORT ARGUMENTS... The environment contains the keys."""
import glob, json, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.fs as fs, pyarrow.parquet as pq

command, port, *rest = sys.argv[1:]
s3 = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{port}", scheme="http", region="us-east-1",
                     allow_bucket_creation=True)


def paths(folder, files=s3):
    return sorted(f.path for f in files.get_file_info(fs.FileSelector(folder, recursive=True))
                  if f.is_file)


def rows(folder, files):
    """Returns the schema of a folder, and its rows sorted by id. Converts floats to their bits, so that NaN
    equals NaN and 0.0 differs from -0.0."""
    parts = [p for p in paths(folder, files) if p.endswith(".parquet")]
    table = pa.concat_tables(pq.read_table(p, filesystem=files, partitioning=None) for p in parts)
    ids = table["id"].to_pylist()
    assert len(set(ids)) == len(ids), f"{folder} has duplicate ids"
    bits = [c.combine_chunks().view(pa.int64()) if pa.types.is_float64(c.type) else c
            for c in table.columns]
    return table.schema, pa.table(bits, table.column_names).sort_by("id")


# fill DEMO LOCAL: writes 4 files of 2 row groups to the local folder. Copies these files, and the model
# in the demo's folder, to the bucket.
if command == "fill":
    demo, local = rest
    with open(f"{demo}/corpus.jsonl") as lines:
        documents = [json.loads(line) for _, line in zip(range(64), lines)]
    table = pa.table({"id": [d["id"] for d in documents],
                      "tokens": pa.array([d["tokens"][:256] for d in documents],
                                         pa.list_(pa.int32()))})
    s3.create_dir("bucket")
    for n in range(4):
        pq.write_table(table.slice(16 * n, 16), f"{local}/{n}.parquet", row_group_size=8)
    fs.copy_files(local, "bucket/in", destination_filesystem=s3)
    fs.copy_files(f"{demo}/tiny-books", "bucket/model", destination_filesystem=s3)
# compare LOCAL STORED: compares the scores in a local folder with those in a folder of the bucket.
elif command == "compare":
    local, stored = rows(rest[0], fs.LocalFileSystem()), rows(rest[1], s3)
    assert local[1].num_rows == 64 and local[0] == stored[0] and local[1] == stored[1], \
        f"{rest[1]} and {rest[0]} differ"
    left = [p for p in paths(rest[1]) if "/_mamba/tmp" in p]
    assert not left, f"{rest[1]} has temporary files: {left}"
    print(f"{rest[1]}: {stored[1].num_rows} rows equal those of a local run, to the bit, without duplicates")
# grep TEXT: fails if an object contains the text.
elif command == "grep":
    for path in paths("bucket"):
        assert rest[0].encode() not in s3.open_input_stream(path).readall(), f"{path} contains {rest[0]}"
