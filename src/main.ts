#!/usr/bin/env node
/** The first file of the program. */
import { start } from "./start.ts";

await start();
