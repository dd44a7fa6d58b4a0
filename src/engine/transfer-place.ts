/** A transfer between two places as users name them: an image, or a raw stream on standard input. */
import type { Readable } from "node:stream";
import { Fault } from "../fault/fault.ts";
import { fileInDirectory } from "./file-name.ts";
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
  const stream = request.source.location === "-";
  const format = request.format ?? request.source.format ?? "raw";
  if (stream && request.destination.endsWith("/")) {
    throw new Fault("USAGE", `${request.destination}: a stream has no name of its own; name the file`);
  }
  const destination = await fileInDirectory(request.destination, request.source.location, format);
  const named = { ...request, destination };
  return stream ? transferStdin(ports.stdin, named, ports, signal) : transferImage(named, ports, signal);
}
