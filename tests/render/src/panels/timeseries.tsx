// A time series panel: Grafana's graph with its legend and marks for firing alerts.

import type { DataFrame, TimeRange } from "@grafana/data";
import { TimeSeries as GrafanaTimeSeries } from "@grafana/ui";
import { Marks, type Mark } from "../annotations";
import type { Panel } from "../dashboard";

export function TimeSeries(props: {
  panel: Panel;
  frames: DataFrame[];
  marks: Mark[];
  range: TimeRange;
  width: number;
  height: number;
}) {
  const { panel, frames, marks, range, width, height } = props;
  return (
    <GrafanaTimeSeries
      frames={frames}
      legend={panel.options.legend}
      timeRange={range}
      timeZone="browser"
      width={width}
      height={height}
      options={panel.options}
    >
      {(config) => <Marks config={config} marks={marks} />}
    </GrafanaTimeSeries>
  );
}
