/** Writes docs/rules.md, and says what is missing; with `--check` it writes nothing. Exit status 1: it is not whole. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { coverageOf } from "./coverage.ts";
import { namedTests } from "./named-tests.ts";
import { pageOf } from "./page.ts";
import { SOURCES } from "./rules.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = join(ROOT, "docs/rules.md");

const coverage = coverageOf(SOURCES, await namedTests(ROOT));
const page = pageOf(SOURCES, coverage);
const faults = [...coverage.faults];
if (!process.argv.includes("--check")) writeFileSync(PAGE, page);
else if (readFileSync(PAGE, "utf8") !== page) faults.push("docs/rules.md is out of date: npm run rules");
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
