#!/usr/bin/env node
/** The first file of the program. All else is loaded behind it, so that compiled code of an earlier start serves. */
import { keepCompiledCode } from "./compile-cache.ts";

keepCompiledCode(process.env);
const { start } = await import("./start.ts");
await start();
