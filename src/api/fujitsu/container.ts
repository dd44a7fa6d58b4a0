/** Containers and objects as Fujitsu writes them: `/v1/AUTH_<project>/<container>` (FJ-3). */
import { Fault } from "../../fault/fault.ts";
import type { Caller } from "../../service/caller.ts";
import type { DestinationWanted } from "../../service/find-destination.ts";
import type { Service } from "../../service/service.ts";
import { type FujitsuError, misfit } from "./errors.ts";

/** Bytes; Swift's own limit. */
const MOST_CONTAINER = 256;

/** @throws Fault USAGE: `invalid`, or that the project is not the caller's. */
export function parseContainer(caller: Caller, text: unknown, invalid: FujitsuError): DestinationWanted {
  const match = /^\/(?<form>v[12])\/AUTH_(?<project>[^/]+)\/(?<container>[^/]+)$/.exec(String(text));
  const { form, project, container = "" } = match?.groups ?? {};
  if (typeof text !== "string" || match === null || Buffer.byteLength(container) > MOST_CONTAINER) {
    throw misfit(invalid);
  }
  if (project !== caller.project) throw misfit("projectUnknown");
  return { provider: "swift", container, swiftApiVersion: form === "v2" ? "v2" : "v1" };
}

/** `/v1/AUTH_<project>/<container>/<object>`. */
export function parseLocation(
  caller: Caller,
  text: unknown,
): { readonly wanted: DestinationWanted; readonly object: string } {
  const match = /^(?<place>\/[^/]+\/[^/]+\/[^/]+)\/(?<object>.+)$/s.exec(String(text));
  const { place, object } = match?.groups ?? {};
  if (typeof text !== "string" || object === undefined) throw misfit("locationInvalid");
  return { wanted: parseContainer(caller, place, "locationInvalid"), object };
}

/** A destination as it is written here; by its own name, if it is gone. */
export async function containerOf(
  service: Service,
  caller: Caller,
  project: string,
  destination: string,
): Promise<string> {
  const found = await unlessGone(service.destinations.get(caller, destination));
  if (found === undefined) return destination;
  const { region, container } = found.entry;
  const { swiftApiVersion } = (await service.regions.get(caller, region)).entry;
  return `/${swiftApiVersion}/AUTH_${project}/${container}`;
}

export async function unlessGone<T>(getting: Promise<T>): Promise<T | undefined> {
  try {
    return await getting;
  } catch (error) {
    if (error instanceof Fault && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
