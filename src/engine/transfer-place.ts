/** A transfer between two places as users name them: an image, or a raw stream on standard input. */
import type { Readable } from "node:stream";
import {
  type EnginePorts,
  type TransferImageRequest,
  type Transferred,
  transferImage,
} from "./transfer-image.ts";
import { transferStdin } from "./transfer-stdin.ts";

export interface TransferPlacePorts extends EnginePorts {
  readonly stdin: Readable;
}

export async function transferPlace(
  request: TransferImageRequest,
  ports: TransferPlacePorts,
  signal: AbortSignal,
): Promise<Transferred> {
  if (request.source.location !== "-") return transferImage(request, ports, signal);
  // A pipe that stands still would never notice the signal.
  const hangUp = (): void => {
    ports.stdin.destroy(signal.reason instanceof Error ? signal.reason : undefined);
  };
  signal.addEventListener("abort", hangUp, { once: true });
  try {
    return await transferStdin(ports.stdin, request, ports, signal);
  } finally {
    signal.removeEventListener("abort", hangUp);
  }
}
