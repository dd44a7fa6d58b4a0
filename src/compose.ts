/** The composition root: the only file that knows every layer, the environment and the credentials. */

import type { Engine, EngineOptions } from "./cli/context.ts";
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
import { ossConfigFromEnvironment } from "./store/oss/config.ts";
import { openOss } from "./store/oss/destination.ts";
import { ossSource } from "./store/oss/source.ts";
import { s3ConfigFromEnvironment } from "./store/s3/config.ts";
import { openS3 } from "./store/s3/destination.ts";
import { s3Source } from "./store/s3/source.ts";
import { uploadStream } from "./store/s3/stream.ts";
import { swiftConfigFromEnvironment } from "./store/swift/config.ts";
import { openSwift } from "./store/swift/destination.ts";
import { swiftSource } from "./store/swift/source.ts";
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
        ...(options.threads === undefined ? {} : { threads: options.threads }),
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
    swift: () => (swift !== undefined && !swiftSaid ? swift : swiftConfigFromEnvironment(env)),
    s3: () => (s3 !== undefined && !s3Said ? s3 : s3ConfigFromEnvironment(env)),
    oss: () => (oss !== undefined && !ossSaid ? oss : ossConfigFromEnvironment(env)),
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
        case "s3":
          return s3Source(credentials.s3(), location, signal);
        case "oss":
          return ossSource(credentials.oss(), location, signal);
        case "swift":
          return swiftSource(credentials.swift(), location, signal);
        case "stdin":
          throw new Fault("USAGE", "standard input can only be transferred as raw, not opened as an image");
        case "null":
          throw new Fault("USAGE", "null: holds nothing to read");
      }
    },
    streamTo(text) {
      const location = parseLocation(text);
      if (location.kind !== "s3") return undefined;
      return (stream, options, signal) => uploadStream(credentials.s3(), location, stream, options, signal);
    },
    async destination(text, signal) {
      const location = parseLocation(text);
      switch (location.kind) {
        case "file":
          return openDirectory(location.path);
        case "null":
          return openNull();
        case "s3":
          return openS3(credentials.s3(), location, signal);
        case "oss":
          return openOss(credentials.oss(), location, signal);
        case "swift":
          return openSwift(credentials.swift(), location, signal);
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
