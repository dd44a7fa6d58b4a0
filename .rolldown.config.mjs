/** What `npm run build` makes of src: few files that load fast, with the packages beside them as npm installs them. */
import { readFileSync } from "node:fs";
import { defineConfig } from "rolldown";

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

const CORE =
  /src\/(fault|bytes|native|cipher|codec|digest|source\/(file|recipe)|transfer\/(shared|blocking))/;

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
    // What each thread of each transfer loads: one file is read sooner than twenty.
    codeSplitting: { groups: [{ name: "core", test: CORE }] },
  },
});
