package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.checkpoint.SafetensorsWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Damages one safetensors file. If the header changes, its stored length changes as well, so that
 * the reader parses the header.
 */
final class SafetensorsMutations {
  private static final Pattern OFFSETS = Pattern.compile("\"data_offsets\":\\[(\\d+),(\\d+)]");
  private static final Pattern SHAPE = Pattern.compile("\"shape\":\\[([\\d,]*)]");
  private static final Pattern DTYPE = Pattern.compile("\"dtype\":\"(\\w+)\"");
  private static final Pattern ENTRY = Pattern.compile("\"[^\"]+\":\\{[^}]*}");

  private SafetensorsMutations() {}

  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    List<String> weights = folder.weights();
    String name = pick(random, weights);
    byte[] file = folder.files.get(name);
    long length = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    byte[] headerBytes = Arrays.copyOfRange(file, 8, (int) (8 + length));
    byte[] data = Arrays.copyOfRange(file, (int) (8 + length), file.length);
    String header = new String(headerBytes, StandardCharsets.UTF_8);
    folder.note("%s", name);

    byte[] changed = headerBytes;
    Expected expected = Expected.EITHER;
    switch (random.nextInt(16)) {
      case 0, 1, 2, 3 -> {
        JsonMutations.Mutated mutated = JsonMutations.mutate(header, folder, random);
        changed = mutated.json().getBytes(StandardCharsets.UTF_8);
        expected = mutated.expected();
      }
      case 4 -> {
        for (int n = 1 + random.nextInt(3); n > 0 && changed.length > 0; n--) {
          changed = BlindMutations.edited("header", changed, folder, random);
        }
      }
      case 5 -> {
        long wrong = HostileValues.number(random, length);
        folder.note("header's length is %d, not %d", wrong, length);
        byte[] changedFile = file.clone();
        ByteBuffer.wrap(changedFile).order(ByteOrder.LITTLE_ENDIAN).putLong(wrong);
        folder.files.put(name, changedFile);
        return wrong == length ? Expected.SAME : Expected.REFUSED;
      }
      case 6 -> {
        // Shorter, longer, or with a gap: the header stays valid.
        int at = random.nextInt(data.length);
        int removed = random.nextInt(data.length - at);
        byte[] in = new byte[random.nextInt(1 << random.nextInt(12))];
        folder.note("data: %d bytes at %d become %d", removed, at, in.length);
        data = BlindMutations.splice(data, at, removed, in);
        expected = removed == in.length ? Expected.EITHER : Expected.REFUSED;
      }
      case 7, 8 -> {
        MatchResult found = pick(random, matches(OFFSETS, header));
        int number = 1 + random.nextInt(2);
        long right = Long.parseLong(found.group(number));
        long wrong = HostileValues.number(random, right);
        folder.note("offset %d becomes %d", right, wrong);
        changed = replaced(header, found.start(number), found.end(number), Long.toString(wrong));
        expected = wrong == right ? Expected.SAME : Expected.REFUSED;
      }
      case 9 -> {
        MatchResult found = pick(random, matches(OFFSETS, header));
        long by = HostileValues.number(random, 8);
        long begin = Long.parseLong(found.group(1)) + by;
        long end = Long.parseLong(found.group(2)) + by;
        folder.note("offsets %s move by %d", found.group(), by);
        changed = replaced(header, found.start(1), found.end(2), begin + "," + end);
        expected = by == 0 ? Expected.SAME : Expected.REFUSED;
      }
      case 10, 11 -> {
        MatchResult found = pick(random, matches(SHAPE, header));
        String shape = shape(found.group(1), random);
        folder.note("shape %s becomes %s", found.group(1), shape);
        changed = replaced(header, found.start(1), found.end(1), shape);
        expected = shape.equals(found.group(1)) ? Expected.SAME : Expected.REFUSED;
      }
      case 12 -> {
        MatchResult found = pick(random, matches(DTYPE, header));
        String dtype =
            pick(random, List.of("F32", "F16", "BF16", "F64", "I64", "U8", "F8_E4M3", "bf16", ""));
        folder.note("dtype %s becomes %s", found.group(1), dtype);
        changed = replaced(header, found.start(1), found.end(1), dtype);
        expected = dtype.equals(found.group(1)) ? Expected.SAME : Expected.EITHER;
      }
      case 13 -> {
        List<String> entries =
            new ArrayList<>(matches(ENTRY, header).stream().map(MatchResult::group).toList());
        Collections.shuffle(entries, new Random(random.nextLong()));
        folder.note("entries in another order");
        changed = ("{" + String.join(",", entries) + "}").getBytes(StandardCharsets.UTF_8);
        expected = Expected.SAME;
      }
      case 14 -> {
        return withExtraEntries(folder, random, name, header, data);
      }
      default -> {
        String begin =
            pick(
                random,
                List.of(
                    "",
                    "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                    "<html>",
                    "PK\u0003\u0004",
                    "\u001f\u008b\u0008",
                    "{\"a\":1}",
                    "\0\0\0\0\0\0\0\0",
                    "\2\0\0\0\0\0\0\0{}",
                    "\1\0\0\0\0\0\0\0{",
                    "\7\0\0\0\0\0\0",
                    "\0".repeat(64)));
        folder.note("begins with %s", begin);
        folder.files.put(name, begin.getBytes(StandardCharsets.ISO_8859_1));
        return Expected.REFUSED;
      }
    }
    folder.files.put(name, SafetensorsWriter.rawBytes(changed, data));
    return expected;
  }

  private static List<MatchResult> matches(Pattern pattern, String header) {
    Matcher matcher = pattern.matcher(header);
    return matcher.results().toList();
  }

  private static byte[] replaced(String header, int start, int end, String by) {
    return (header.substring(0, start) + by + header.substring(end))
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Returns another shape, some with the same number of elements, some whose product overflows. */
  private static String shape(String right, SplittableRandom random) {
    List<String> sizes = new ArrayList<>(right.isEmpty() ? List.of() : List.of(right.split(",")));
    switch (random.nextInt(6)) {
      case 0 -> Collections.reverse(sizes);
      case 1 -> sizes.add(random.nextInt(sizes.size() + 1), "1");
      case 2 -> sizes.add(random.nextInt(sizes.size() + 1), "0");
      case 3 -> sizes.addAll(Collections.nCopies(random.nextInt(1, 20), "1"));
      case 4 -> sizes.addAll(Collections.nCopies(random.nextInt(1, 5), "2147483647"));
      default -> {
        int at = random.nextInt(sizes.size());
        long size = Long.parseLong(sizes.get(at));
        sizes.set(at, Long.toString(HostileValues.number(random, size)));
      }
    }
    return String.join(",", sizes);
  }

  /** Adds entries or metadata. */
  private static Expected withExtraEntries(
      HostileFolder folder, SplittableRandom random, String name, String header, byte[] data) {
    // Sometimes more than a reader accepts.
    boolean tooMany = random.nextInt(40) == 0;
    int count = tooMany ? 100_001 : 1 + random.nextInt(1 << random.nextInt(13));
    StringBuilder more = new StringBuilder(header).deleteCharAt(header.lastIndexOf('}'));
    Expected expected;
    if (random.nextBoolean()) {
      folder.note("%d empty tensors", count);
      for (int i = 0; i < count; i++) {
        more.append(",\"t")
            .append(i)
            .append("\":{\"dtype\":\"F32\",\"shape\":[0,2147483647],\"data_offsets\":[0,0]}");
      }
      expected = Expected.REFUSED;
    } else {
      folder.note("metadata of %d entries", count);
      int metadata = more.indexOf("{\"format\"");
      StringBuilder entries = new StringBuilder("{");
      for (int i = 0; i < count; i++) {
        entries.append("\"").append(i).append("\":\"\",");
      }
      if (metadata < 0) {
        return Expected.EITHER;
      }
      more.replace(metadata, metadata + 1, entries.toString());
      expected = tooMany ? Expected.REFUSED : Expected.SAME;
    }
    folder.files.put(
        name,
        SafetensorsWriter.rawBytes(
            more.append('}').toString().getBytes(StandardCharsets.UTF_8), data));
    return expected;
  }
}
