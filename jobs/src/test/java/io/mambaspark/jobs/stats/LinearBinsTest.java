package io.mambaspark.jobs.stats;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LinearBinsTest {
  @Test
  void bins_have_round_edges_around_both_ends() {
    assertThat(LinearBins.of(-0.7, 9.1, 0)).isEqualTo(new LinearBins(-2, 21, 0.5));
    assertThat(LinearBins.of(0, 3, 1).edges()).isEqualTo(List.of(0.0, 1.0, 2.0, 3.0, 4.0));
    assertThat(LinearBins.of(0, 85, 1).width()).isEqualTo(5);
  }

  @Test
  void the_number_of_bins_is_limited_whatever_the_values() {
    double[][] ranges = {
      {0, 0}, {5, 5}, {-8.2e8, -8.1e8}, {-8.2e18, 3}, {1e-3, 1e-3 + 1e-12}, {-1e300, 1e300}
    };
    for (double[] range : ranges) {
      LinearBins bins = LinearBins.of(range[0], range[1], 0);
      List<Double> edges = bins.edges();
      String where = "%s to %s".formatted(range[0], range[1]);
      assertThat(bins.count()).as(where).isBetween(1, 42);
      assertThat(edges.get(0)).as(where).isLessThanOrEqualTo(range[0]);
      assertThat(edges.get(bins.count())).as(where).isGreaterThan(range[1]);
    }
  }
}
