/**
 * Runs a command and writes "<user seconds> <system seconds> <peak KiB>" to a file, as GNU time does.
 * Run: node account.ts FILE PROGRAM [argument …]
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import koffi from "koffi";

const RUSAGE_CHILDREN = -1;
/** Larger than struct rusage of 64-bit Linux: two timevals, then ru_maxrss. */
const RUSAGE_BYTES = 256;

const [file = "", program = "", ...args] = process.argv.slice(2);
const { status } = spawnSync(program, args, { stdio: "inherit" });
const getrusage = koffi.load(null).func("int getrusage(int who, _Out_ uint8_t *usage)");
const usage = Buffer.alloc(RUSAGE_BYTES);
getrusage(RUSAGE_CHILDREN, usage);
const field = (index: number) => Number(usage.readBigInt64LE(index * 8));
const seconds = (index: number) => field(index) + field(index + 1) / 1e6;
writeFileSync(file, `${seconds(0)} ${seconds(2)} ${field(4)}\n`);
process.exitCode = status ?? 1;
