/**
 * The strict OSS server as a process of its own, for tests that kill the client: `node serve.ts '{"directory": …}'`
 * with the options as JSON. Prints one line of JSON with the endpoint, and ends when its standard input does, that is
 * with its parent.
 */
import { type StrictOssOptions, startStrictOss } from "./server.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as StrictOssOptions;
const server = await startStrictOss(options);
const end = async () => {
  await server[Symbol.asyncDispose]();
  process.exit(0);
};
process.stdin.once("end", () => void end()).once("error", () => void end());
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ endpoint: server.endpoint, port: server.port })}\n`);
