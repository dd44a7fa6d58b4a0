/** A transfer between two places as users name them: an image, or a raw stream on standard input. */
import type { Readable } from "node:stream";
import type { Credentials } from "../cli/credentials.ts";
import { fileInDirectory } from "./file-name.ts";
import {
  type EnginePorts,
  type TransferImageRequest,
  type Transferred,
  transferImage,
} from "./transfer-image.ts";

export interface TransferPlacePorts extends EnginePorts {
  readonly stdin: Readable;
  readonly credentials: Credentials;
}

export async function transferPlace(
  request: TransferImageRequest,
  ports: TransferPlacePorts,
  signal: AbortSignal,
): Promise<Transferred> {
  const format = request.format ?? request.source.format ?? "raw";
  const destination = await fileInDirectory(request.destination, request.source.location, format);
  return transferImage({ ...request, destination }, ports, signal);
}
