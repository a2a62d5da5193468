package io.mambaspark.jobs.report;

import io.mambaspark.jobs.report.ReportData.GroupRow;
import io.mambaspark.jobs.report.ReportData.Head;
import io.mambaspark.jobs.report.ReportData.Headline;
import io.mambaspark.jobs.report.ReportData.Origin;
import io.mambaspark.jobs.report.ReportData.Position;
import io.mambaspark.jobs.report.ReportData.Speed;
import io.mambaspark.jobs.report.ReportData.Sums;
import io.mambaspark.jobs.report.ReportData.TaskTime;
import io.mambaspark.jobs.report.ReportData.Timing;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Distributions.Document;
import io.mambaspark.jobs.stats.Distributions.Extremes;
import io.mambaspark.jobs.stats.Distributions.Group;
import io.mambaspark.jobs.stats.Distributions.Grouping;
import io.mambaspark.jobs.stats.Distributions.Histogram;
import io.mambaspark.jobs.stats.Distributions.LengthClass;
import io.mambaspark.jobs.stats.Distributions.Percentiles;
import io.mambaspark.jobs.stats.Distributions.Series;
import io.mambaspark.jobs.stats.LogBins;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;

/** Synthetic runs that resemble real ones, to test and to view reports. */
final class SampleReport {
  private SampleReport() {}

  private record Scored(String group, long tokens, double perplexity, String text) {}

  /** Returns a run of prose, shuffled prose and noise. */
  static ReportData threeGroups() {
    Random random = new Random(3);
    List<Scored> documents = new ArrayList<>();
    draw(documents, random, "real", 2600, 45, 0.32);
    draw(documents, random, "shuffled", 1300, 900, 0.25);
    draw(documents, random, "random", 1250, 440_000, 0.16);
    return of("Perplexity of three kinds of prose", documents, random, 44);
  }

  /** Returns a run of twenty groups of very different sizes. */
  static ReportData twentyGroups() {
    Random random = new Random(4);
    List<Scored> documents = new ArrayList<>();
    String[] names = {"web", "news", "books", "forum", "code", "law", "wiki", "mail", "poems"};
    for (int g = 0; g < 20; g++) {
      String name = g < names.length ? names[g] : "source-" + g + ".jsonl.zst";
      draw(documents, random, name, 6000 / (g + 1), 12 + 9.0 * g, 0.5 + 0.03 * g);
    }
    return of("Perplexity of twenty sources", documents, random, 900);
  }

  /** Returns a run with only a title. */
  static ReportData empty() {
    return new ReportData(
        new Head("Nothing scored", List.of(), List.of()),
        null,
        Sums.NONE,
        Timing.NONE,
        Origin.NONE);
  }

  private static void draw(
      List<Scored> to, Random random, String group, int count, double median, double spread) {
    String[] words =
        "the time that you would have it so because every curious grin of cat was left king said to"
            .split(" ");
    for (int i = 0; i < count; i++) {
      long tokens = (long) Math.exp(6.4 + 0.9 * random.nextGaussian()) + 2;
      double perplexity =
          median
              * Math.exp(spread * random.nextGaussian() * (1 + 4 / Math.sqrt(tokens)))
              * (1 + 6.0 / tokens);
      StringBuilder text = new StringBuilder();
      while (text.length() < 200) {
        text.append(words[random.nextInt(words.length)]).append(' ');
      }
      to.add(new Scored(group, tokens, perplexity, text.toString().strip()));
    }
  }

  private static ReportData of(String title, List<Scored> documents, Random random, int tasks) {
    List<String> groups = documents.stream().map(Scored::group).distinct().toList();
    List<Position> positions = new ArrayList<>();
    for (int p = 0; p < 13; p++) {
      double perplexity = 38 + 300.0 / Math.pow(1 << p, 0.45);
      positions.add(new Position(p == 0 ? 0 : 1L << (p - 1), 1000, 1000 * Math.log(perplexity)));
    }
    List<TaskTime> times = new ArrayList<>();
    double[] free = new double[8];
    for (int t = 0; t < tasks; t++) {
      int lane = 0;
      for (int l = 1; l < free.length; l++) {
        lane = free[l] < free[lane] ? l : lane;
      }
      double seconds = 38 * Math.exp(0.25 * random.nextGaussian()) * (1 - 0.5 * t / tasks);
      times.add(new TaskTime(free[lane], free[lane] + seconds, 20_000));
      free[lane] += seconds + 0.3;
    }
    double end = Arrays.stream(free).max().orElseThrow();
    List<Speed> speed = new ArrayList<>();
    long done = 0;
    for (int s = 0; s <= 120; s++) {
      speed.add(new Speed(end * s / 120, done));
      double warm = Math.min(1, s / 4.0) * (s > 112 ? (121 - s) / 9.0 : 1);
      done += (long) (end / 120 * 2950 * warm * (1 + 0.05 * random.nextGaussian()));
    }
    Map<String, Long> errors = new LinkedHashMap<>();
    errors.put("null_token", 41L);
    errors.put("token_out_of_range", 12L);
    errors.put("not_finite", 0L);
    Map<String, String> options = new LinkedHashMap<>();
    options.put("model", "s3a://models/mamba-130m-hf");
    options.put("input", "s3a://corpus/2026-11/*.parquet");
    options.put("prefix-token", "bos");
    options.put("emit", "token-logprobs");
    options.put("output", "s3a://scores/2026-11");
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put(
        "model fingerprint", "9f2b6c1e07d44a5f8b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a");
    versions.put("mamba-spark", "0.2.0");
    versions.put("Spark", "4.2.0 (Scala 2.13)");
    versions.put("Java", "17.0.15");
    List<GroupRow> rows =
        groups.stream()
            .map(
                group -> {
                  Percentiles own = percentiles(documents, scored -> scored.group().equals(group));
                  return new GroupRow(
                      group,
                      own.documents(),
                      own.documents() * 640,
                      own.at(50) * 0.98,
                      own.at(50) * 0.004,
                      own.at(50) * 1.03,
                      own.at(50) * 2.1,
                      2.345,
                      1.2296);
                })
            .toList();
    return new ReportData(
        new Head(
            title,
            List.of(
                new Headline("corpus perplexity", "43.64 ± 0.21"),
                new Headline("mean of documents", "44.92"),
                new Headline("documents", Numbers.count(documents.size())),
                new Headline("tokens", "3,452,118"),
                new Headline("errors", "53"),
                new Headline("tokens per second", "2,913")),
            List.of(
                "Window policy full: each document with its complete context, from its first token.",
                "17 documents were too short to be scored.")),
        distributions(documents, groups),
        new Sums(rows, positions, errors),
        new Timing(speed, times),
        new Origin(options, versions));
  }

  private static Percentiles percentiles(List<Scored> documents, Predicate<Scored> which) {
    double[] values =
        documents.stream().filter(which).mapToDouble(Scored::perplexity).sorted().toArray();
    return new Percentiles(
        values.length,
        Percentiles.RANKS.stream().map(rank -> values[(values.length - 1) * rank / 100]).toList());
  }

  private static Distributions distributions(List<Scored> documents, List<String> groups) {
    int[] fine =
        documents.stream()
            .mapToInt(d -> (int) Math.floor(Math.log10(d.perplexity()) * LogBins.PER_DECADE))
            .toArray();
    LogBins bins = LogBins.of(fine);
    List<Series> series = new ArrayList<>();
    for (int g = 0; g < Math.min(groups.size(), Distributions.MAX_SERIES + 1); g++) {
      boolean rest = g == Distributions.MAX_SERIES;
      long[] counts = new long[bins.count()];
      for (int d = 0; d < fine.length; d++) {
        int of = groups.indexOf(documents.get(d).group());
        if (rest ? of >= g : of == g) {
          counts[bins.of(fine[d])]++;
        }
      }
      List<Long> boxed = Arrays.stream(counts).boxed().toList();
      series.add(new Series(rest ? "other" : groups.get(g), rest, boxed));
    }
    List<LengthClass> lengths = new ArrayList<>();
    for (int e = 0; e < 20; e++) {
      int exponent = e;
      Predicate<Scored> in = d -> 63 - Long.numberOfLeadingZeros(d.tokens()) == exponent;
      if (documents.stream().anyMatch(in)) {
        lengths.add(new LengthClass(1L << e, percentiles(documents, in)));
      }
    }
    List<Document> ranked =
        documents.stream()
            .sorted(Comparator.comparingDouble(Scored::perplexity))
            .map(
                d ->
                    new Document(
                        d.perplexity(),
                        d.tokens(),
                        List.of("doc-" + d.text().hashCode(), d.group(), d.text())))
            .toList();
    List<Document> worst =
        new ArrayList<>(ranked.subList(ranked.size() - Distributions.MAX_DOCUMENTS, ranked.size()));
    worst.sort(Comparator.comparingDouble(Document::perplexity).reversed());
    return new Distributions(
        true,
        percentiles(documents, d -> true),
        new Grouping(
            List.of("kind"),
            groups.size(),
            groups.stream()
                .map(g -> new Group(List.of(g), percentiles(documents, d -> d.group().equals(g))))
                .toList()),
        new Histogram(bins.edges(), series),
        lengths,
        new Extremes(
            List.of("id", "kind", "text"), ranked.subList(0, Distributions.MAX_DOCUMENTS), worst));
  }
}
