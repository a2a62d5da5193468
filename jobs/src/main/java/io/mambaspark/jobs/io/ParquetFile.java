package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.FileContent;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.Util;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.metadata.FileMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.Type;

/**
 * A Parquet file as its footer describes it; data is not read.
 *
 * @param columns the top-level columns, in the order of the file
 * @param allNull the leaves that have no value in this file, by their index from 0 among the leaves
 *     of all columns in the order of the schema
 * @param nullTypes the leaves of {@code allNull} that have the null type; pandas writes this type
 *     for a column without values
 * @param columnBytes the compressed size of each top-level column, by case-insensitive name
 * @param error the reason why the file cannot be read, in which case it has no row groups; null if
 *     it can be read
 */
public record ParquetFile(
    InputFile file,
    List<RowGroup> rowGroups,
    List<ParquetColumn> columns,
    BitSet allNull,
    BitSet nullTypes,
    Map<String, Long> columnBytes,
    String error) {
  private static final int BYTES_PER_TOKEN = 4;

  /** The number of bytes after the footer: the length of the footer and the magic number. */
  private static final int FOOTER_END = 8;

  /** The number of bytes at the end of a file that are read to test whether it is readable. */
  private static final int TAIL = 1 << 16;

  /**
   * A row group.
   *
   * @param start the offset of its first byte in the file
   * @param tokens the number of tokens in the document's columns. For lists, the number of
   *     elements; an empty or null list counts as one, so the number is too high by at most one per
   *     row. For texts, an estimate: one token for every {@value #BYTES_PER_TOKEN} bytes
   */
  public record RowGroup(long start, long rows, long tokens) {}

  /** The number of rows in all row groups. */
  public long rows() {
    return rowGroups.stream().mapToLong(RowGroup::rows).sum();
  }

  /**
   * Reads the footers of files, several at a time. Returns them in the order of the files.
   *
   * @param document the names of the columns of documents; their case is ignored
   * @param columns converts a schema to columns
   * @throws Refusal if a file cannot be read although its content may be valid
   */
  static List<ParquetFile> read(
      List<InputFile> files,
      List<String> document,
      ParquetColumn.Reader columns,
      Configuration configuration) {
    ExecutorService threads = HadoopFiles.threads("mamba-spark-footers");
    try {
      List<Future<ParquetFile>> reading =
          files.stream()
              .map(file -> threads.submit(() -> read(file, document, columns, configuration)))
              .toList();
      List<ParquetFile> read = new ArrayList<>();
      for (Future<ParquetFile> file : reading) {
        read.add(file.get());
      }
      return read;
    } catch (ExecutionException e) {
      throw Refusal.because(e, "Cannot read the input: %s", Failures.oneLine(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Refusal.because(e, "Interrupted while reading the Parquet footers of the input");
    } finally {
      threads.shutdownNow();
    }
  }

  private static ParquetFile read(
      InputFile file,
      List<String> document,
      ParquetColumn.Reader columns,
      Configuration configuration) {
    Path path = file.path();
    FileStatus status = new FileStatus(file.size(), false, 1, file.size(), file.modified(), path);
    try (ParquetFileReader reader =
        ParquetFileReader.open(
            HadoopInputFile.fromStatus(status, configuration),
            // Encrypted files are read with the keys that the configuration names.
            HadoopReadOptions.builder(configuration, path).build())) {
      List<RowGroup> groups = new ArrayList<>();
      Map<String, Long> columnBytes = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
      BitSet values = new BitSet();
      int leaves = 0;
      List<String> names =
          reader.getFileMetaData().getSchema().getFields().stream().map(Type::getName).toList();
      List<List<String>> paths =
          document.stream().map(name -> ColumnNames.path(names, name, false)).toList();
      boolean unknown = reader.getFooter().getBlocks().isEmpty();
      for (BlockMetaData block : reader.getFooter().getBlocks()) {
        groups.add(rowGroup(block, paths));
        for (int leaf = 0; leaf < block.getColumns().size(); leaf++) {
          ColumnChunkMetaData column = block.getColumns().get(leaf);
          columnBytes.merge(name(column), column.getTotalSize(), Long::sum);
          unknown |= !hasNullCount(column);
          values.set(leaf, values.get(leaf) || hasValues(column));
        }
        leaves = Math.max(leaves, block.getColumns().size());
      }
      FileMetaData schema = reader.getFooter().getFileMetaData();
      BitSet nullTypes = unknown ? nullTypes(file, configuration) : new BitSet();
      values.andNot(nullTypes);
      values.flip(0, Math.max(leaves, schema.getSchema().getColumns().size()));
      return new ParquetFile(
          file, groups, columns.of(schema), values, nullTypes, columnBytes, null);
    } catch (FileNotFoundException e) {
      throw new UncheckedIOException(e);
    } catch (IOException | RuntimeException e) {
      String error = Failures.cause(e, path.toString());
      long tail = Math.max(0, status.getLen() - TAIL);
      if (!FileContent.isBad(e, path, tail, status.getLen(), configuration)) {
        throw Refusal.because(e, "Cannot read %s: %s", file.name(), error);
      }
      return new ParquetFile(
          file, List.of(), List.of(), new BitSet(), new BitSet(), Map.of(), error);
    }
  }

  /**
   * Finds the leaves of the null type, which pandas writes for a column without values. Parses the
   * footer itself, because Spark's Parquet library before 1.15 drops that type and writers omit the
   * statistics of such a column.
   */
  private static BitSet nullTypes(InputFile file, Configuration configuration) throws IOException {
    BitSet leaves = new BitSet();
    try (FSDataInputStream in =
        HadoopFiles.fileSystem(file.path(), configuration).open(file.path())) {
      in.seek(file.size() - FOOTER_END);
      byte[] end = in.readNBytes(FOOTER_END);
      if (!new String(end, 4, 4, StandardCharsets.US_ASCII).equals("PAR1")) {
        // The footer is encrypted.
        return leaves;
      }
      int length = ByteBuffer.wrap(end).order(ByteOrder.LITTLE_ENDIAN).getInt();
      in.seek(file.size() - FOOTER_END - length);
      byte[] footer = in.readNBytes(length);
      int leaf = 0;
      for (SchemaElement element :
          Util.readFileMetaData(new ByteArrayInputStream(footer)).getSchema()) {
        if (!element.isSetNum_children()) {
          leaves.set(leaf++, element.isSetLogicalType() && element.getLogicalType().isSetUNKNOWN());
        }
      }
      return leaves;
    }
  }

  private static RowGroup rowGroup(BlockMetaData block, List<List<String>> document) {
    long tokens = 0;
    for (ColumnChunkMetaData column : block.getColumns()) {
      for (List<String> path : document) {
        tokens += isIn(column, path) ? tokens(column, path) : 0;
      }
    }
    return new RowGroup(block.getStartingPos(), block.getRowCount(), tokens);
  }

  /** The name of the top-level column of a leaf. */
  private static String name(ColumnChunkMetaData column) {
    return column.getPath().toArray()[0];
  }

  /** Whether a leaf is a column, a field of a struct, or a part of it. */
  private static boolean isIn(ColumnChunkMetaData leaf, List<String> path) {
    String[] names = leaf.getPath().toArray();
    return names.length >= path.size()
        && IntStream.range(0, path.size()).allMatch(i -> path.get(i).equalsIgnoreCase(names[i]));
  }

  private static long tokens(ColumnChunkMetaData column, List<String> path) {
    boolean text = column.getPath().size() == path.size();
    return text ? column.getTotalUncompressedSize() / BYTES_PER_TOKEN : column.getValueCount();
  }

  private static boolean hasNullCount(ColumnChunkMetaData column) {
    return column.getStatistics() != null && column.getStatistics().isNumNullsSet();
  }

  private static boolean hasValues(ColumnChunkMetaData column) {
    boolean allNull =
        hasNullCount(column) && column.getStatistics().getNumNulls() == column.getValueCount();
    return column.getValueCount() > 0 && !allNull;
  }
}
