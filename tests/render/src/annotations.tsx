// Annotations of the dashboards. As in Grafana, consecutive results are one event, drawn as two dashed lines with its
// colour between them.

import { colorManipulator, rangeUtil, type TimeRange } from "@grafana/data";
import type { UPlotConfigBuilder } from "@grafana/ui";
import { useLayoutEffect } from "react";
import type uPlot from "uplot";
import type { Annotation } from "./dashboard";
import { over } from "./prometheus";
import { rateInterval } from "./range";
import { interpolate, type Values } from "./variables";

export interface Mark {
  from: number;
  to: number;
  color: string;
}

export async function marks(annotations: Annotation[], range: TimeRange, values: Values): Promise<Mark[]> {
  const found = annotations.map(async ({ expr, step, iconColor }) => {
    if (!expr) {
      return [];
    }
    const seconds = rangeUtil.intervalToSeconds(step ?? "60s");
    const query = interpolate(expr, values, rateInterval(seconds));
    const answer = await over(query, range, seconds);
    return answer.flatMap(({ values }) => events(values.map(([time]) => time), seconds, iconColor));
  });
  return (await Promise.all(found)).flat();
}

function events(times: number[], step: number, color: string): Mark[] {
  const marks: Mark[] = [];
  for (const time of times) {
    const last = marks.at(-1);
    if (last && last.to + step * 1000 >= time * 1000) {
      last.to = time * 1000;
    } else {
      marks.push({ from: time * 1000, to: time * 1000, color });
    }
  }
  return marks;
}

export function Marks({ config, marks }: { config: UPlotConfigBuilder; marks: Mark[] }) {
  useLayoutEffect(() => {
    config.addHook("draw", (plot: uPlot) => marks.forEach((mark) => draw(plot, mark)));
  }, [config, marks]);
  return null;
}

function draw(plot: uPlot, { from, to, color }: Mark) {
  const { ctx, bbox } = plot;
  const [left, right] = [from, to].map((time) => plot.valToPos(time, "x", true));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = 2;
  ctx.strokeStyle = color;
  ctx.setLineDash([5, 5]);
  for (const x of new Set([left, right])) {
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.fillStyle = colorManipulator.alpha(color, 0.1);
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.restore();
}
