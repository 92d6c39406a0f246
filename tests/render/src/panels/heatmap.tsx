// A heat map panel, with Grafana's axes and the colours of its scheme Viridis. Grafana's libraries have no heat map, so
// the cells are drawn here: a row for each bucket, a column for each step, and no cell for a count of 0.

import { formattedValueToString, getValueFormat } from "@grafana/data";
import type { DataFrame, GrafanaTheme2, TimeRange } from "@grafana/data";
import { AxisPlacement, ScaleDirection, ScaleOrientation } from "@grafana/schema";
import { UPlotChart, UPlotConfigBuilder, useTheme2 } from "@grafana/ui";
import { interpolateViridis } from "d3-scale-chromatic";
import { useMemo } from "react";
import type uPlot from "uplot";
import type { Panel } from "../dashboard";

const LEGEND_HEIGHT = 36;
const LINE_HEIGHT = 16;

interface Props {
  panel: Panel;
  frames: DataFrame[];
  range: TimeRange;
  width: number;
  height: number;
}

export function Heatmap({ panel, frames, range, width, height }: Props) {
  const theme = useTheme2();
  const [time, ...buckets] = frames[0].fields;
  const highest = Math.max(1, ...buckets.flatMap(({ values }) => values));
  const color = (count: number) => interpolateViridis((count / highest) ** panel.options.color.exponent);
  const plotHeight = height - LEGEND_HEIGHT;
  const config = useMemo(() => {
    const labels = buckets.map(({ name }) => boundText(name, panel.options.yAxis.unit));
    const builder = axes(theme, range, labels, plotHeight);
    builder.addHook("draw", (plot) => drawCells(plot, time.values, buckets.map(({ values }) => values), color));
    return builder;
  }, [frames, theme]);
  return (
    <>
      <UPlotChart config={config} data={[time.values]} width={width} height={plotHeight} />
      <ColorLegend color={color} highest={highest} />
    </>
  );
}

/** Axes: time, and one row of height 1 for each label, the lowest first. */
function axes(theme: GrafanaTheme2, range: TimeRange, labels: string[], height: number): UPlotConfigBuilder {
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
    range: () => [0, labels.length],
  });
  builder.addAxis({ scaleKey: "x", isTime: true, placement: AxisPlacement.Bottom, theme, timeZone: "browser" });
  // A label is at the middle of its row. If rows are lower than a line of text, only some rows have labels.
  const every = Math.ceil((labels.length * LINE_HEIGHT) / height);
  const rows = [...labels.keys()].filter((row) => row % every === 0);
  builder.addAxis({
    scaleKey: "y",
    placement: AxisPlacement.Left,
    theme,
    splits: rows.map((row) => row + 0.5),
    values: rows.map((row) => labels[row]),
    grid: { show: false },
  });
  return builder;
}

function boundText(bound: string, unit: string): string {
  const number = Number(bound);
  return Number.isFinite(number) ? formattedValueToString(getValueFormat(unit)(number)) : bound;
}

function drawCells(plot: uPlot, times: number[], counts: number[][], color: (count: number) => string) {
  const { ctx, bbox } = plot;
  const step = times.length > 1 ? times[1] - times[0] : 60_000;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  counts.forEach((row, index) => {
    const bottom = plot.valToPos(index, "y", true);
    const top = plot.valToPos(index + 1, "y", true);
    row.forEach((count, column) => {
      if (count > 0) {
        // A column shows the counts of the step that ends at its time.
        const left = plot.valToPos(times[column] - step, "x", true);
        const right = plot.valToPos(times[column], "x", true);
        ctx.fillStyle = color(count);
        ctx.fillRect(left, top, right - left - 1, bottom - top - 1);
      }
    });
  });
  ctx.restore();
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
