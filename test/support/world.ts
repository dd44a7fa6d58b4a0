/** The whole engine as a program would have it, over a directory of its own: for tests from end to end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { MiB } from "../../src/bytes/units.ts";
import type { Engine } from "../../src/cli/context.ts";
import { compose } from "../../src/compose.ts";
import type { ImageRequest } from "../../src/engine/open-image.ts";
import type { Places } from "../../src/engine/places.ts";
import {
  type TransferEvents,
  type TransferImageRequest,
  type Transferred,
  transferImage,
} from "../../src/engine/transfer-image.ts";
import type { Producer } from "../../src/transfer/job.ts";

export type Wish = Partial<Omit<TransferImageRequest, "source" | "destination">> & {
  readonly source?: Partial<ImageRequest>;
  readonly events?: Partial<TransferEvents>;
  readonly places?: Partial<Places>;
  readonly producer?: Producer;
  readonly signal?: AbortSignal;
};

export interface World {
  readonly engine: Engine;
  /** A path in the world's directory. */
  path(name: string): string;
  image(location: string, more?: Partial<ImageRequest>): ImageRequest;
  /** Transfers an image; names without a scheme lie in the world's directory. */
  transfer(from: string, to: string, wish?: Wish): Promise<Transferred>;
}

const never = new AbortController().signal;

/** Call at the top of a test file: everything goes away at its end. */
export async function makeWorld(label: string): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), `diskferry-${label}-`));
  const engine = await compose({ XDG_STATE_HOME: join(directory, "state"), HOME: directory }, {});
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  const path = (name: string): string => (/^(\/|[a-z0-9]+:)/.test(name) ? name : join(directory, name));
  const image = (location: string, more: Partial<ImageRequest> = {}): ImageRequest => ({
    location: path(location),
    backing: [],
    allowAmplification: false,
    ...more,
  });
  return {
    engine,
    path,
    image,
    transfer(from, to, wish = {}) {
      const { source, events, places, producer, signal, ...options } = wish;
      return transferImage(
        {
          source: image(from, source),
          destination: path(to),
          concurrency: 8,
          memory: 256 * MiB,
          bandwidth: 0,
          existing: "refuse",
          unfinished: "resume",
          verify: "digest",
          adopt: "coded units",
          ...options,
        },
        {
          places: { ...engine.places, ...places },
          producer: producer ?? engine.producer,
          stateDirectory: engine.stateDirectory,
          events: {
            onStage: () => {},
            onProgress: () => {},
            onResume: () => {},
            onRetry: () => {},
            ...events,
          },
        },
        signal ?? never,
      );
    },
  };
}
