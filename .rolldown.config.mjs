/** What `npm run build` makes of src: few files that load fast, with the packages beside them as npm installs them. */
import { readFileSync } from "node:fs";
import { defineConfig } from "rolldown";

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

/**
 * What the digests without SIMD stand on, too. They are loaded while the core's own are being made: in one file with
 * these, each would wait for the other without end.
 */
const GROUND = /src\/(fault|bytes|native|digest\/wasm)\//;

const CORE =
  /src\/(cipher|codec|digest\/(?!plain-kernels)|source\/(file|recipe)|transfer\/(shared|blocking))/;

export default defineConfig({
  // The pool looks for the entry of its threads beside itself: all files stand in one folder.
  input: { main: "src/main.ts", entry: "src/worker/entry.ts" },
  platform: "node",
  external: Object.keys(dependencies).map((name) => new RegExp(`^${name}(/|$)`)),
  output: {
    dir: "dist",
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    // What each thread of each transfer loads: two files are read sooner than twenty.
    codeSplitting: {
      groups: [
        { name: "ground", test: GROUND, priority: 1 },
        { name: "core", test: CORE },
      ],
    },
  },
});
