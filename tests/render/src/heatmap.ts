// Converts cumulative buckets into the counts of each bucket, lowest first, as Grafana's data source does.

import { createDataFrame, FieldType, type DataFrame } from "@grafana/data";
import type { Series } from "./prometheus";

const bound = ({ metric }: Series) => Number(metric.le.replace("+Inf", "Infinity"));

/** Returns one frame: the times, and for each bucket a field with its upper bound as name. */
export function bucketFrames(answer: Series[], step: number): DataFrame[] {
  if (answer.length === 0) {
    return [];
  }
  const buckets = [...answer].sort((one, other) => bound(one) - bound(other));
  const times = [...new Set(answer.flatMap(({ values }) => values.map(([time]) => time)))].sort((a, b) => a - b);
  const counts = buckets.map(({ values }) => new Map(values));
  return [
    createDataFrame({
      fields: [
        {
          name: "Time",
          type: FieldType.time,
          values: times.map((time) => time * 1000),
          config: { interval: step * 1000 },
        },
        ...buckets.map(({ metric }, row) => ({
          name: metric.le,
          type: FieldType.number,
          values: times.map((time) => {
            const upTo = counts[row].get(time) ?? 0;
            const below = row === 0 ? 0 : (counts[row - 1].get(time) ?? 0);
            return Math.max(0, upTo - below);
          }),
        })),
      ],
    }),
  ];
}
