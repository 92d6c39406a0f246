// A heat map panel. Grafana's libraries have none, so the cells are drawn here, in Grafana's axes and with the
// colours of its scheme Viridis: a row for each bucket, a column for each step, nothing where the count is 0.

import { formattedValueToString, getValueFormat, type DataFrame, type TimeRange } from "@grafana/data";
import { AxisPlacement, ScaleDirection, ScaleOrientation } from "@grafana/schema";
import { UPlotChart, UPlotConfigBuilder, useTheme2 } from "@grafana/ui";
import { interpolateViridis } from "d3-scale-chromatic";
import { useMemo } from "react";
import type uPlot from "uplot";
import type { Panel } from "../dashboard";

const LEGEND_HEIGHT = 36;

export function Heatmap(props: { panel: Panel; frames: DataFrame[]; range: TimeRange; width: number; height: number }) {
  const { panel, frames, range, width, height } = props;
  const theme = useTheme2();
  const [time, ...buckets] = frames[0].fields;
  const highest = Math.max(...buckets.flatMap(({ values }) => values));
  const { exponent } = panel.options.color;
  const color = (count: number) => interpolateViridis((count / highest) ** exponent);

  const config = useMemo(() => {
    const builder = new UPlotConfigBuilder("browser");
    builder.addScale({
      scaleKey: "x",
      isTime: true,
      orientation: ScaleOrientation.Horizontal,
      direction: ScaleDirection.Right,
      range: () => [range.from.valueOf(), range.to.valueOf()],
    });
    builder.addScale({
      scaleKey: "y",
      orientation: ScaleOrientation.Vertical,
      direction: ScaleDirection.Up,
      range: () => [0, buckets.length],
    });
    builder.addAxis({ scaleKey: "x", isTime: true, placement: AxisPlacement.Bottom, theme, timeZone: "browser" });
    // The upper bound is written beside the middle of its row, on every other row where they are narrow.
    const every = Math.ceil((buckets.length * 16) / (height - LEGEND_HEIGHT));
    const rows = buckets.map((_, row) => row).filter((row) => row % every === 0);
    builder.addAxis({
      scaleKey: "y",
      placement: AxisPlacement.Left,
      theme,
      splits: rows.map((row) => row + 0.5),
      values: rows.map((row) => boundText(buckets[row].name, panel)),
      grid: { show: false },
    });
    builder.addSeries({ scaleKey: "y", theme, pathBuilder: () => null, pointsBuilder: () => null, show: true } as any);
    builder.addHook("draw", (plot: uPlot) => drawCells(plot, time.values, buckets.map(({ values }) => values), color));
    builder.setPrepData(() => [time.values, time.values.map(() => 0)] as any);
    return builder;
  }, [frames, theme]);

  return (
    <>
      <UPlotChart
        config={config}
        data={[time.values, time.values.map(() => 0)]}
        width={width}
        height={height - LEGEND_HEIGHT}
      />
      <ColorLegend color={color} highest={highest} />
    </>
  );
}

function boundText(bound: string, panel: Panel): string {
  const number = Number(bound);
  return Number.isFinite(number) ? formattedValueToString(getValueFormat(panel.options.yAxis.unit)(number)) : bound;
}

function drawCells(plot: uPlot, times: number[], counts: number[][], color: (count: number) => string) {
  const { ctx } = plot;
  const step = times.length > 1 ? times[1] - times[0] : 60_000;
  counts.forEach((row, index) => {
    const bottom = plot.valToPos(index, "y", true);
    const top = plot.valToPos(index + 1, "y", true);
    row.forEach((count, column) => {
      if (count > 0) {
        // A column shows what came in the step that ends at its time.
        const left = plot.valToPos(times[column] - step, "x", true);
        const right = plot.valToPos(times[column], "x", true);
        ctx.fillStyle = color(count);
        ctx.fillRect(left, top, right - left - 1, bottom - top - 1);
      }
    });
  });
}

function ColorLegend({ color, highest }: { color: (count: number) => string; highest: number }) {
  const stops = Array.from({ length: 11 }, (_, stop) => color((highest * stop) / 10));
  return (
    <div style={{ width: 200, marginLeft: 60, fontSize: 12 }}>
      <div style={{ height: 8, background: `linear-gradient(to right, ${stops.join(", ")})` }} />
      <div style={{ display: "flex", justifyContent: "space-between" }}>
        <span>0</span>
        <span>{highest.toFixed(0)}</span>
      </div>
    </div>
  );
}
