// Builds the page that draws the dashboards into dist/. Grafana's icons come from its package.
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: "node_modules/@grafana/ui/dist/public",
  define: { "process.env.NODE_ENV": '"production"' },
  build: { chunkSizeWarningLimit: 10_000 },
});
