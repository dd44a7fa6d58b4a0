/** What the settings of a daemon mean, without their secrets. */
import type { DaemonSettings } from "./daemon-settings.ts";

export interface DaemonSummary {
  readonly stateDirectory: string;
  readonly cleartext?: string;
  readonly tls?: string;
  readonly regions: readonly { readonly id: string; readonly imageStore: string }[];
  readonly destinations: readonly {
    readonly name: string;
    readonly region: string;
    readonly location: string;
  }[];
  readonly credentials: readonly string[];
  readonly projects: readonly string[];
  /** Directories by name. */
  readonly roots: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  /** None: whoever can read the access file. */
  readonly callers: readonly { readonly name: string; readonly project: string; readonly role: string }[];
}

/** @param stateDirectory where the daemon keeps what it must not forget. */
export function summaryOf(settings: DaemonSettings, stateDirectory: string): DaemonSummary {
  const { listen, regions, destinations, credentials, projects, roots, volumes, callers } = settings;
  const place = (given: { readonly host: string; readonly port: number } | undefined) =>
    given === undefined ? undefined : `${given.host}:${given.port}`;
  const cleartext = place(listen.cleartext);
  const tls = place(listen.tls);
  return {
    stateDirectory,
    ...(cleartext === undefined ? {} : { cleartext }),
    ...(tls === undefined ? {} : { tls }),
    regions: Object.entries(regions).map(([id, { imageStore }]) => ({ id, imageStore })),
    destinations: Object.entries(destinations).map(([name, { region, location }]) => ({
      name,
      region,
      location: location.location,
    })),
    credentials: Object.keys(credentials),
    projects: Object.keys(projects),
    roots,
    volumes: Object.keys(volumes),
    callers: [...callers.tokens, ...callers.certificates, ...callers.accessKeys].map(
      ({ name, project, role }) => ({
        name,
        project,
        role,
      }),
    ),
  };
}
