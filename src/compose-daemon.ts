/** The composition root of the daemon: from its settings to a server that answers and a scheduler that works. */
import { createHash, randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { defectNote } from "./api/defect.ts";
import type { Grants } from "./api/identify.ts";
import type { TlsAddress } from "./api/listen.ts";
import { dialects } from "./api/registry.ts";
import { LIMITS, openServer, type Server } from "./api/server.ts";
import type { Daemon, DaemonOptions } from "./cli/context.ts";
import { accessFile, readLeftAccess, writeLeftAccess } from "./config/access.ts";
import { checkDirectories, makeDirectories, makeDirectory } from "./config/daemon-directories.ts";
import type { DaemonSettings } from "./config/daemon-settings.ts";
import { type DaemonSummary, summaryOf } from "./config/daemon-summary.ts";
import {
  builtInSettings,
  daemonDirectory,
  FIRST_PROJECT,
  readDaemonSettings,
} from "./config/read-daemon-settings.ts";
import type { Environment } from "./config/settings.ts";
import { auditTo } from "./daemon/audit.ts";
import { dataKeysOf } from "./daemon/data-keys.ts";
import { tellManager } from "./daemon/manager.ts";
import { type DaemonPlaces, daemonPlaces } from "./daemon/places.ts";
import { type Configured, registerConfigured } from "./daemon/register.ts";
import { keepForgetting } from "./daemon/retention.ts";
import { isAllowed } from "./daemon/url-rule.ts";
import { beginWork } from "./daemon/work.ts";
import { fileEnding } from "./engine/file-name.ts";
import { openAlone } from "./engine/open-image.ts";
import { checkWriteOptions } from "./engine/write-options.ts";
import { Fault } from "./fault/fault.ts";
import { FORMATS } from "./format/registry.ts";
import { openKeyring } from "./keyring/keyring.ts";
import { closeHttp } from "./net/http.ts";
import type { TaskQuery } from "./record/query.ts";
import type { TaskRecord } from "./record/record.ts";
import { openSqliteRecord } from "./record/sqlite/record.ts";
import type { SchedulePorts } from "./schedule/ports.ts";
import { startScheduler } from "./schedule/scheduler.ts";
import { createService } from "./service/create-service.ts";
import { uuidV7 } from "./service/identifier.ts";
import { type Called, timed } from "./store/timed.ts";
import { takeCensus } from "./telemetry/census.ts";
import { type Log, openLog } from "./telemetry/log.ts";
import { openMetrics } from "./telemetry/metrics.ts";
import { openServerLog } from "./telemetry/server-log.ts";
import { createPool } from "./worker/pool.ts";

/** As in a single transfer: a thread computes while others of its lanes wait. */
const LANES_PER_THREAD = 4;
const DAY_MS = 86_400_000;
const newId = (): string => uuidV7(Date.now(), randomBytes(10));

/** What a daemon with these settings would be, and whether what they name on this host is there. @throws Fault */
export async function checkDaemon(env: Environment, options: DaemonOptions): Promise<DaemonSummary> {
  const settings = await settingsOf(env, options);
  await tlsOf(settings);
  if (options.config !== undefined) await checkDirectories(settings);
  return summaryOf(settings, daemonDirectory(settings, env));
}

/**
 * Opens the record, registers what is configured, takes up the work, and answers.
 * @throws Fault CONFLICT when another daemon has the state directory; USAGE, ALREADY_EXISTS (a port), PERMISSION, …
 */
export async function openDaemon(env: Environment, options: DaemonOptions): Promise<Daemon> {
  // The heap grows by what is in use and not by what the host has: 200 MiB under load in place of 340.
  setFlagsFromString("--heap-growing-percent=30");
  const settings = await settingsOf(env, options);
  const directory = daemonDirectory(settings, env);
  await using stack = new AsyncDisposableStack();
  const log = stack.use(await logOf(settings, options));
  const tls = await tlsOf(settings);
  if (options.config === undefined) await makeDirectories(settings);
  else await checkDirectories(settings);
  await makeDirectory(directory);
  const record = stack.use(openSqliteRecord(join(directory, "record.db")));
  const places = placesOf(settings);
  await register(settings, record, places, log);
  stack.defer(() => closeHttp());
  const pool = stack.use(
    createPool({
      lanesPerThread: LANES_PER_THREAD,
      ...(settings.limits.threads === undefined ? {} : { threads: settings.limits.threads }),
    }),
  );
  const metrics = openMetrics(() => takeCensus(record));
  await recoverAll(record);
  const dataKeys = dataKeysOf(openKeyring(join(directory, "keys")), (...said) => log.note(...said));
  const ports: SchedulePorts = {
    record,
    dataKeys,
    places: {
      ...places,
      async destination(destination, object, signal) {
        const { provider } = destination;
        const called: Called = (...call) => metrics.called(provider, ...call);
        return timed(await places.destination(destination, object, signal), called, () => performance.now());
      },
    },
    producer: pool,
    stateDirectory: join(directory, "tasks"),
    metrics,
    note: (level, event, fields) => log.note(level, event, fields),
    now: Date.now,
    random: Math.random,
  };
  const { memory, runs, drainSeconds } = settings.limits;
  const work = await beginWork({
    record,
    start: () => startScheduler(ports, { runner: settings.runner ?? hostname(), mostRuns: runs, memory }),
    drainMs: drainSeconds * 1000,
  });
  stack.defer(() => work.end());
  const { grants, token } = await grantsOf(settings, directory);
  const audit = auditTo(record, (...said) => log.note(...said));
  const service = createService({
    record,
    masterKeys: dataKeys,
    audit,
    now: Date.now,
    newId,
    existing: places.existing,
    formats: new Map(FORMATS.map(({ name }) => [name, fileEnding(name)])),
    readable: new Set(FORMATS.filter(({ reader }) => reader !== undefined).map(({ name }) => name)),
    checkWrite: checkWriteOptions,
    allowsUrl: (url) => isAllowed(url, settings.urls),
    roots: new Set(Object.keys(settings.roots)),
    regionsChanged: () => work.wake(),
  });
  const server = stack.use(
    await openServer({
      ...(settings.listen.cleartext === undefined ? {} : { cleartext: settings.listen.cleartext }),
      ...(tls === undefined ? {} : { tls }),
      grants,
      service,
      handlers: dialects(
        {
          service,
          accessKeys: new Map(settings.callers.accessKeys.map((key) => [key.id, key])),
          nonces: record,
          bodyBytes: LIMITS.bodyBytes,
          now: Date.now,
          defect: defectNote(log),
        },
        { alibaba: settings.alibaba },
      ),
      daemon: work,
      audit,
      metrics: { access: settings.metrics.access, ...metrics },
      log,
      now: Date.now,
      newId,
    }),
  );
  // Watchers see the drain to its end: the endpoint closes after the work, though it was opened later.
  stack.defer(() => work.end());
  const forgetting = new AbortController();
  const forgotten = keepForgetting(record, retentionOf(settings, log), forgetting.signal);
  stack.defer(async () => {
    forgetting.abort();
    await forgotten;
  });
  const urls = urlsOf(server, settings);
  const [url = ""] = urls;
  if (token !== undefined) await writeLeftAccess(accessFile(directory), { server: url, token });
  log.note("info", "ready", { urls, stateDirectory: directory });
  await tellManager("READY=1", env, log);
  const opened = stack.move();
  return {
    urls,
    stateDirectory: directory,
    ...(token === undefined ? {} : { accessFile: accessFile(directory) }),
    async reload() {
      try {
        const renewed = await tlsOf(settings);
        if (renewed !== undefined) server.renew(renewed);
        log.note("info", "reloaded", {});
      } catch (error) {
        const { code, message } = Fault.from(error, "reloading");
        log.note("error", "reload-failed", { code, message });
      }
    },
    async end() {
      log.note("info", "draining", { running: (await work.drain()).running });
      await tellManager("STOPPING=1", env, log);
      await work.end();
      log.note("info", "ended", {});
      await opened.disposeAsync();
    },
  };
}

async function settingsOf(
  env: Environment,
  { config, port, directory }: DaemonOptions,
): Promise<DaemonSettings> {
  if (config === undefined) return builtInSettings(env, { port, directory });
  if (port !== undefined) throw new Fault("USAGE", "--port is for a daemon without a configuration file");
  return readDaemonSettings(config, env);
}

async function logOf({ log: { file, level } }: DaemonSettings, { stderr }: DaemonOptions): Promise<Log> {
  return file === undefined ? openServerLog(stderr, level) : openLog(file, level);
}

function placesOf({ credentials, roots, destinations, urls }: DaemonSettings): DaemonPlaces {
  return daemonPlaces({
    credentials: new Map(Object.entries(credentials)),
    roots: new Map(Object.entries(roots)),
    directories: Object.values(destinations).flatMap(({ location: { provider, location } }) =>
      provider === "directory" ? [location] : [],
    ),
    urls,
  });
}

async function register(
  settings: DaemonSettings,
  { catalogue }: TaskRecord,
  places: DaemonPlaces,
  log: Log,
): Promise<void> {
  const never = new AbortController().signal;
  await registerConfigured(configuredOf(settings), {
    catalogue,
    async measure({ root, path, format }) {
      await using opened = await openAlone(await places.file(root, path, never), format, never);
      return opened.image.virtualSize;
    },
    onMissing: (volume, { code, message }) => log.note("warn", "volume-missing", { volume, code, message }),
    now: Date.now,
  });
}

function configuredOf({ regions, destinations, projects, volumes }: DaemonSettings): Configured {
  const withId = <Given>(given: Readonly<Record<string, Given>>) =>
    Object.entries(given).map(([id, rest]) => ({ id, ...rest }));
  return {
    regions: withId(regions),
    destinations: Object.entries(destinations).map(([name, { location, ...rest }]) => ({
      name,
      ...rest,
      ...location,
    })),
    projects: withId(projects),
    volumes: withId(volumes),
  };
}

/**
 * The record belongs to this process alone: whoever held tasks in it holds them no more, under whatever name that was.
 * Containers change theirs with every start.
 */
async function recoverAll(record: TaskRecord): Promise<void> {
  const states = ["processing", "cancelling"] as const;
  for (let from: TaskQuery["from"] = { is: "newest", skip: 0 }; ; ) {
    const { tasks, next } = await record.tasks({ where: { states }, from, limit: 500 });
    const runners = new Set(tasks.flatMap(({ run }) => (run === undefined ? [] : [run.runner])));
    for (const runner of runners) await record.recover(runner, Date.now());
    if (next === undefined) return;
    from = { is: "before", sequence: next };
  }
}

/** Who may ask. Where nobody is configured, whoever can read the access file in the state directory. */
async function grantsOf(
  { callers: { tokens, certificates, accessKeys } }: DaemonSettings,
  directory: string,
): Promise<{ readonly grants: Grants; readonly token?: string }> {
  const certified = certificates.map(({ name, project, role, commonName, sha256 = "" }) => ({
    name,
    project,
    role,
    match:
      commonName === undefined
        ? ({ by: "certificate", sha256 } as const)
        : ({ by: "subject", commonName } as const),
  }));
  if (tokens.length > 0 || certified.length > 0 || accessKeys.length > 0) {
    // A token that no longer opens anything would only mislead.
    await rm(accessFile(directory), { force: true });
    return { grants: { tokens, certificates: certified } };
  }
  const left = await readLeftAccess(accessFile(directory));
  const token = left?.token ?? randomBytes(32).toString("base64url");
  const sha256 = createHash("sha256").update(token).digest("hex");
  const first = { sha256, name: "admin", project: FIRST_PROJECT, role: "admin" } as const;
  return { grants: { tokens: [first], certificates: [] }, token };
}

async function tlsOf({ listen: { tls } }: DaemonSettings): Promise<TlsAddress | undefined> {
  if (tls === undefined) return undefined;
  const { host, port, certificate, key, clientAuthorities } = tls;
  const read = (field: string, path: string): Promise<string> =>
    readFile(path, "utf8").catch((error: unknown) => {
      throw new Fault("USAGE", `listen.tls.${field}: ${Fault.from(error, path).message}`, { cause: error });
    });
  return {
    host,
    port,
    certificate: await read("certificate", certificate),
    key: await read("key", key),
    ...(clientAuthorities === undefined
      ? {}
      : { clientAuthorities: await read("clientAuthorities", clientAuthorities) }),
  };
}

function retentionOf({ retention: { taskDays, tokenDays, auditDays } }: DaemonSettings, log: Log) {
  return {
    taskMs: taskDays * DAY_MS,
    tokenMs: tokenDays * DAY_MS,
    auditMs: auditDays * DAY_MS,
    now: Date.now,
    note: (...said: Parameters<Log["note"]>) => log.note(...said),
  };
}

/** Where the daemon answers, the cleartext port first. */
function urlsOf({ cleartext, tls }: Server, { listen }: DaemonSettings): readonly string[] {
  const url = (scheme: string, host: string, port: number): string =>
    `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return [
    ...(cleartext === undefined ? [] : [url("http", listen.cleartext?.host ?? "", cleartext.port)]),
    ...(tls === undefined ? [] : [url("https", listen.tls?.host ?? "", tls.port)]),
  ];
}
