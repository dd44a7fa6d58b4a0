/** How runs reach what tasks name: destinations by their credentials, files below the host's roots, URLs that are allowed. */
import { realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import type { Destination } from "../catalog/destination.ts";
import { Fault } from "../fault/fault.ts";
import type { TaskPlaces } from "../schedule/ports.ts";
import type { ServicePorts } from "../service/ports.ts";
import { openFile } from "../source/file/file.ts";
import { openHttpWithin } from "../source/http/http.ts";
import { openDirectory } from "../store/directory/directory.ts";
import { existingInDirectory } from "../store/directory/existing.ts";
import type { OssConfig } from "../store/oss/config.ts";
import type { S3Config } from "../store/s3/config.ts";
import type { SwiftConfig } from "../store/swift/config.ts";
import { boundsOf, type UrlRule } from "./url-rule.ts";

/** What one name of a credential stands for. */
export interface Credential {
  readonly swift?: SwiftConfig;
  readonly s3?: S3Config;
  readonly oss?: OssConfig;
}

export interface Allowed {
  readonly credentials: ReadonlyMap<string, Credential>;
  /** Directories by name. */
  readonly roots: ReadonlyMap<string, string>;
  /** Directories that the configuration itself names as destinations; others must lie below a root. */
  readonly directories: readonly string[];
  readonly urls: UrlRule;
}

export interface DaemonPlaces extends TaskPlaces {
  readonly existing: ServicePorts["existing"];
}

/** The stores' clients are loaded by those alone who use them. */
export function daemonPlaces(allowed: Allowed): DaemonPlaces {
  const { credentials, roots, urls } = allowed;

  /** @throws Fault CREDENTIALS, and never what is in them. */
  function configOf<Store extends keyof Credential>(
    { name, credential }: Destination,
    store: Store,
  ): NonNullable<Credential[Store]> {
    const config = credential === undefined ? undefined : credentials.get(credential)?.[store];
    if (config !== undefined) return config;
    const what = credential === undefined ? "names no credential" : `names ${credential}, which is none`;
    throw new Fault("CREDENTIALS", `destination ${name}: ${what} for ${store}`);
  }

  /** A directory that neither the configuration names nor a root holds is nobody's to write to. */
  async function directoryOf({ name, location }: Destination): Promise<string> {
    const real = await realPath(location, `destination ${name}`);
    const known = [...allowed.directories, ...roots.values()];
    for (const place of known) {
      if (within(real, await realpath(place).catch(() => place))) return real;
    }
    throw new Fault("PERMISSION", `destination ${name}: its directory lies below no root of this host`);
  }

  /** The path of an object, which leads nowhere else by links. */
  async function fileOf(destination: Destination, object: string): Promise<string> {
    const directory = await directoryOf(destination);
    const path = join(directory, object);
    const parent = await realpath(dirname(path)).catch(() => dirname(path));
    if (within(parent, directory)) return path;
    throw new Fault("PERMISSION", `destination ${destination.name}: ${object} leads out of its directory`);
  }

  /** The file itself, where the object is a link. */
  async function storedFileOf(destination: Destination, object: string): Promise<string> {
    const path = await realPath(await fileOf(destination, object), object);
    if (within(path, await directoryOf(destination))) return path;
    throw new Fault("PERMISSION", `destination ${destination.name}: ${object} leads out of its directory`);
  }

  return {
    async destination(destination, object, signal) {
      switch (destination.provider) {
        case "directory":
          return openDirectory(await fileOf(destination, object));
        case "swift": {
          const { openSwift } = await import("../store/swift/destination.ts");
          const [container, name] = placeIn(destination, object);
          return openSwift(configOf(destination, "swift"), { container, object: name }, signal);
        }
        case "s3": {
          const { openS3 } = await import("../store/s3/destination.ts");
          const [bucket, key] = placeIn(destination, object);
          return openS3(configOf(destination, "s3"), { bucket, key }, signal);
        }
        case "oss": {
          const { openOss } = await import("../store/oss/destination.ts");
          const [bucket, key] = placeIn(destination, object);
          return openOss(configOf(destination, "oss"), { bucket, key }, signal);
        }
      }
    },

    async source(destination, object, signal) {
      switch (destination.provider) {
        case "directory":
          return openFile(await storedFileOf(destination, object));
        case "swift": {
          const { swiftSource } = await import("../store/swift/source.ts");
          const [container, name] = placeIn(destination, object);
          return swiftSource(configOf(destination, "swift"), { container, object: name }, signal);
        }
        case "s3": {
          const { s3Source } = await import("../store/s3/source.ts");
          const [bucket, key] = placeIn(destination, object);
          return s3Source(configOf(destination, "s3"), { bucket, key }, signal);
        }
        case "oss": {
          const { ossSource } = await import("../store/oss/source.ts");
          const [bucket, key] = placeIn(destination, object);
          return ossSource(configOf(destination, "oss"), { bucket, key }, signal);
        }
      }
    },

    url: (url, signal) => openHttpWithin(boundsOf(urls), url, signal),

    async file(root, path) {
      const directory = roots.get(root);
      if (directory === undefined) throw new Fault("NOT_FOUND", `there is no root ${root}`);
      const real = await realPath(join(directory, path), `${root}/${path}`);
      if (!within(real, await realPath(directory, `root ${root}`))) {
        throw new Fault("PERMISSION", `${root}/${path}: leads out of its root`);
      }
      return openFile(real);
    },

    async existing(destination, objects, signal) {
      const { provider } = destination;
      if (provider === "directory") return existingInDirectory(await directoryOf(destination), objects);
      const placed = new Map(objects.map((object) => [placeIn(destination, object)[1], object]));
      const [container] = placeIn(destination, "");
      const found = await existingIn(provider, destination, container, [...placed.keys()], signal);
      return found.flatMap((name) => placed.get(name) ?? []);
    },
  };

  async function existingIn(
    provider: Exclude<Destination["provider"], "directory">,
    destination: Destination,
    container: string,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    switch (provider) {
      case "swift": {
        const { existingInSwift } = await import("../store/swift/existing.ts");
        return existingInSwift(configOf(destination, "swift"), container, names, signal);
      }
      case "s3": {
        const { existingInS3 } = await import("../store/s3/existing.ts");
        return existingInS3(configOf(destination, "s3"), container, names, signal);
      }
      case "oss": {
        const { existingInOss } = await import("../store/oss/existing.ts");
        return existingInOss(configOf(destination, "oss"), container, names, signal);
      }
    }
  }
}

/** Container and name of an object. @throws Fault USAGE when the destination's location is not of its provider. */
function placeIn({ name, provider, location }: Destination, object: string): readonly [string, string] {
  const match = /^([a-z0-9]+):\/\/([^/]+)\/(.*)$/s.exec(`${location}${object}`);
  const [, scheme, container, rest] = match ?? [];
  if (scheme !== provider || container === undefined || rest === undefined) {
    throw new Fault("USAGE", `destination ${name}: its location is not ${provider}://container/`);
  }
  return [container, rest];
}

async function realPath(path: string, name: string): Promise<string> {
  return realpath(path).catch((error: unknown) => {
    throw Fault.from(error, name);
  });
}

function within(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : `${directory}${sep}`);
}
