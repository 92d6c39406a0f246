// Queries Prometheus and returns frames with the names that Grafana's data source gives them.

import { createDataFrame, FieldType, renderLegendFormat, type DataFrame, type TimeRange } from "@grafana/data";

export interface Series {
  metric: Record<string, string>;
  /** Pairs of Unix time in seconds and value. */
  values: Array<[number, number]>;
}

interface Answer {
  status: string;
  error?: string;
  data: {
    result: Array<{ metric: Record<string, string>; value?: [number, string]; values?: Array<[number, string]> }>;
  };
}

async function ask(path: string, parameters: Record<string, string>): Promise<Series[]> {
  const response = await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const answer: Answer = await response.json();
  if (answer.status !== "success") {
    throw new Error(`${answer.error} in ${parameters.query}`);
  }
  return answer.data.result.map(({ metric, value, values }) => ({
    metric,
    values: (values ?? (value ? [value] : [])).map(([time, text]) => [time, Number(text)]),
  }));
}

export function instant(query: string, range: TimeRange): Promise<Series[]> {
  return ask("query", { query, time: String(range.to.valueOf() / 1000) });
}

export function over(query: string, range: TimeRange, step: number): Promise<Series[]> {
  // Times are multiples of the step, as in Grafana.
  const [start, end] = [range.from, range.to].map((time) => Math.floor(time.valueOf() / 1000 / step) * step);
  return ask("query_range", { query, start: String(start), end: String(end), step: String(step) });
}

/** Returns one frame for each series, with null for missing values, so that gaps are drawn. */
export function seriesFrames(refId: string, legend: string, answer: Series[], step: number): DataFrame[] {
  return answer.map(({ metric, values }) =>
    createDataFrame({
      refId,
      fields: [
        {
          name: "Time",
          type: FieldType.time,
          values: values.map(([time]) => time * 1000),
          config: { interval: step * 1000 },
        },
        {
          name: "Value",
          type: FieldType.number,
          values: values.map(([, value]) => (Number.isFinite(value) ? value : null)),
          labels: metric,
          config: { displayNameFromDS: renderLegendFormat(legend, metric) },
        },
      ],
    }),
  );
}

/** Returns one frame for each target: the time, a column for each label, the value. */
export function tableFrame(refId: string, answer: Series[], isAlone: boolean): DataFrame {
  const labels = [...new Set(answer.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return createDataFrame({
    refId,
    fields: answer.length === 0 ? [] : [
      { name: "Time", type: FieldType.time, values: answer.map(({ values }) => values[0][0] * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: FieldType.string,
        values: answer.map(({ metric }) => metric[label] ?? ""),
      })),
      {
        name: isAlone ? "Value" : `Value #${refId}`,
        type: FieldType.number,
        values: answer.map(({ values }) => values[0][1]),
      },
    ],
  });
}
