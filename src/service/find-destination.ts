/** Destinations by what their stores call them: whoever speaks of containers does not know the names they have here. */
import type { Destination } from "../catalog/destination.ts";
import type { Region } from "../catalog/region.ts";
import type { Catalogue } from "../record/record.ts";
import type { Caller } from "./caller.ts";
import { refusal } from "./refusal.ts";
import { regionNamed, seesDestination } from "./visible.ts";

export interface DestinationWanted {
  readonly container: string;
  readonly provider?: Destination["provider"];
  /** Absent: wherever it is. */
  readonly region?: string;
  /** The form in which the container was written (FJ-3); absent: in none that a region could refuse. */
  readonly swiftApiVersion?: Region["swiftApiVersion"];
}

const MOST_NAMESAKES = 1000;

/** The project's own comes before one that all may use. */
export async function findDestination(
  catalogue: Catalogue,
  caller: Caller,
  { container, provider, region, swiftApiVersion }: DestinationWanted,
): Promise<Destination> {
  const limit = MOST_NAMESAKES;
  const found = await catalogue.destinations.list({
    container,
    limit,
    ...(region === undefined ? {} : { region }),
  });
  const seen = found
    .map(({ entry }) => entry)
    .filter((entry) => seesDestination(caller, entry) && (provider ?? entry.provider) === entry.provider)
    .sort((a, b) => Number(b.project === caller.project) - Number(a.project === caller.project));
  if (seen.length === 0) throw refusal("destination-not-found", `there is no container ${container}`);
  for (const destination of seen) {
    const { swiftApiVersion: spoken } = await regionNamed(catalogue, destination.region);
    if ((swiftApiVersion ?? spoken) === spoken) return destination;
  }
  throw refusal(
    "container-form",
    `container ${container}: is not written /${swiftApiVersion}/ in its region`,
  );
}
