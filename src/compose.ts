/**
 * The composition root: the only file that knows every layer, the environment and the credentials. What only some
 * transfers need is loaded by those: a local conversion starts without any store's client.
 */

import { availableParallelism } from "node:os";
import type { Engine, EngineOptions } from "./cli/context.ts";
import { CONCURRENCY } from "./cli/options.ts";
import { parseLocation } from "./config/location.ts";
import { type Environment, readSettings, type Settings, stateDirectory } from "./config/settings.ts";
import type { Credentials, StoreName } from "./engine/credentials.ts";
import type { Places } from "./engine/places.ts";
import { Fault } from "./fault/fault.ts";
import { closeHttp } from "./net/http.ts";
import { openFile } from "./source/file/file.ts";
import { openHttp } from "./source/http/http.ts";
import { openDirectory } from "./store/directory/directory.ts";
import { openNull } from "./store/null/null.ts";
import { createPool, type Pool } from "./worker/pool.ts";

/** Lanes of one thread: enough that a thread computes while others of its lanes wait for a disk or the network. */
const LANES_PER_THREAD = 4;

export async function compose(env: Environment, options: EngineOptions): Promise<Engine> {
  const settings = await readSettings(options.config, env);
  const credentials = credentialsOf(settings, env);
  let pool: Pool | undefined;
  return {
    places: placesOf(credentials),
    credentials,
    get producer() {
      pool ??= createPool({
        lanesPerThread: LANES_PER_THREAD,
        start: "now",
        threads: options.threads ?? Math.min(availableParallelism(), options.concurrency ?? CONCURRENCY),
      });
      return pool;
    },
    stateDirectory: stateDirectory(settings, env),
    async [Symbol.asyncDispose]() {
      await pool?.[Symbol.asyncDispose]();
      await closeHttp();
    },
  };
}

/** What the environment says; where it says nothing, the configuration file. Asked only for stores in use. */
function credentialsOf(settings: Settings, env: Environment): Credentials {
  const has = (...names: string[]): boolean => names.some((name) => (env[name] ?? "") !== "");
  const { swift, s3, oss } = settings.stores;
  const swiftSaid = has("ST_AUTH", "OS_AUTH_URL", "OS_STORAGE_URL");
  const s3Said = has("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3");
  const ossSaid = has("OSS_ACCESS_KEY_ID");
  const configured: StoreName[] = [];
  if (swift !== undefined || swiftSaid) configured.push("swift");
  if (s3 !== undefined || s3Said) configured.push("s3");
  if (oss !== undefined || ossSaid) configured.push("oss");
  return {
    configured,
    async swift() {
      if (swift !== undefined && !swiftSaid) return swift;
      return (await import("./store/swift/config.ts")).swiftConfigFromEnvironment(env);
    },
    async s3() {
      if (s3 !== undefined && !s3Said) return s3;
      return (await import("./store/s3/config.ts")).s3ConfigFromEnvironment(env);
    },
    async oss() {
      if (oss !== undefined && !ossSaid) return oss;
      return (await import("./store/oss/config.ts")).ossConfigFromEnvironment(env);
    },
  };
}

function placesOf(credentials: Credentials): Places {
  return {
    async source(text, signal) {
      const location = parseLocation(text);
      switch (location.kind) {
        case "file":
          return openFile(location.path);
        case "http":
          return openHttp(location.url, signal);
        case "s3": {
          const { s3Source } = await import("./store/s3/source.ts");
          return s3Source(await credentials.s3(), location, signal);
        }
        case "oss": {
          const { ossSource } = await import("./store/oss/source.ts");
          return ossSource(await credentials.oss(), location, signal);
        }
        case "swift": {
          const { swiftSource } = await import("./store/swift/source.ts");
          return swiftSource(await credentials.swift(), location, signal);
        }
        case "stdin":
          throw new Fault("USAGE", "standard input can only be transferred as raw, not opened as an image");
        case "null":
          throw new Fault("USAGE", "null: holds nothing to read");
      }
    },
    streamTo(text) {
      const location = parseLocation(text);
      if (location.kind !== "s3") return undefined;
      return async (stream, options, signal) => {
        const { uploadStream } = await import("./store/s3/stream.ts");
        return uploadStream(await credentials.s3(), location, stream, options, signal);
      };
    },
    async destination(text, signal) {
      const location = parseLocation(text);
      switch (location.kind) {
        case "file":
          return openDirectory(location.path);
        case "null":
          return openNull();
        case "s3": {
          const { openS3 } = await import("./store/s3/destination.ts");
          return openS3(await credentials.s3(), location, signal);
        }
        case "oss": {
          const { openOss } = await import("./store/oss/destination.ts");
          return openOss(await credentials.oss(), location, signal);
        }
        case "swift": {
          const { openSwift } = await import("./store/swift/destination.ts");
          return openSwift(await credentials.swift(), location, signal);
        }
        case "http":
          throw new Fault("USAGE", "http URLs can only be read; write to a path, swift://, s3:// or oss://");
        case "stdin":
          throw new Fault(
            "USAGE",
            "standard output is no destination; write to a path, swift://, s3:// or oss://",
          );
      }
    },
  };
}
