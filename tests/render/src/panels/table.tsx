// A table panel: Grafana's table of the only frame after the transformations.

import type { DataFrame } from "@grafana/data";
import { Table as GrafanaTable } from "@grafana/ui";
import type { Panel } from "../dashboard";

interface Props {
  panel: Panel;
  frames: DataFrame[];
  width: number;
  height: number;
}

export function Table({ panel, frames, width, height }: Props) {
  const { sortBy, cellHeight, showHeader } = panel.options;
  return (
    <GrafanaTable
      data={frames[0]}
      width={width}
      height={height}
      noHeader={!showHeader}
      initialSortBy={sortBy}
      cellHeight={cellHeight}
    />
  );
}
