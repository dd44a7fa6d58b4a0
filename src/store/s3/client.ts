/** Calls to an S3 server: the SDK signs and parses, our HTTP carries, our retry repeats. */
import type {
  GetObjectCommand,
  HeadObjectCommandOutput,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Fault } from "../../fault/fault.ts";
import { withDeadline } from "../../flow/deadline.ts";
import { DEFAULT_RETRY, withRetry } from "../../flow/retry.ts";
import { discardBody, http, readText } from "../../net/http.ts";
import type { S3Config, S3Location } from "./config.ts";
import { type Provider, providerOf } from "./provider.ts";
import { replyFault, s3Code, s3Fault } from "./s3-fault.ts";
import { openTransport } from "./transport.ts";

type Sdk = typeof import("@aws-sdk/client-s3");
type Presign = typeof import("@aws-sdk/s3-request-presigner")["getSignedUrl"];

/** Per call: when to give up waiting. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
}

/** Seconds that a signed URL is good for: longer than any one request takes. */
const URL_SECONDS = 3600;

/** Calls that look something up or note something down. */
export const QUICK_MS = 60_000;
/** Calls that make the server move or join data: Completing may take minutes (CompleteMultipartUpload). */
export const SLOW_MS = 900_000;

/** An open connection to one server with one set of credentials. */
export class S3Access {
  readonly sdk: Sdk;
  readonly config: S3Config;
  readonly provider: Provider;
  readonly #client: S3Client;
  readonly #presign: Presign;
  #refreshing: Promise<void> | undefined;

  constructor(sdk: Sdk, presign: Presign, client: S3Client, config: S3Config) {
    this.sdk = sdk;
    this.config = config;
    this.provider = providerOf(config);
    this.#presign = presign;
    this.#client = client;
  }

  /** What the stream uploader of the SDK wants to see of a client. */
  get clientConfig(): S3Client["config"] {
    return this.#client.config;
  }

  /** `s3://bucket/key`. */
  nameOf(location: S3Location): string {
    return `s3://${location.bucket}/${location.key}`;
  }

  /**
   * Makes one call, repeated while that may help, each attempt within `ms`.
   * @throws Fault
   */
  async call<T>(
    location: S3Location,
    doing: string,
    ms: number,
    work: (client: S3Client, options: CallOptions) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const asked = { doing: `${this.nameOf(location)}: ${doing}`, bucket: location.bucket };
    return withRetry(
      asked.doing,
      DEFAULT_RETRY,
      () =>
        withDeadline(asked.doing, ms, signal, async (abortSignal) => {
          try {
            return await work(this.#client, { abortSignal, requestTimeout: ms });
          } catch (error) {
            const fault = s3Fault(error, asked);
            if (fault.code === "CREDENTIALS_EXPIRED") await this.refresh(signal);
            throw fault;
          }
        }),
      signal,
    );
  }

  /** A URL that performs the command for an hour, with an unsigned body. */
  async presign(
    location: S3Location,
    command: GetObjectCommand | UploadPartCommand,
    signal: AbortSignal,
  ): Promise<string> {
    signal.throwIfAborted();
    try {
      // The presigner's types know nothing of exactOptionalPropertyTypes.
      const [client, asked] = [this.#client, command] as unknown as Parameters<Presign>;
      return await this.#presign(client, asked, { expiresIn: URL_SECONDS });
    } catch (error) {
      throw s3Fault(error, { doing: `${this.nameOf(location)}: signing`, bucket: location.bucket });
    }
  }

  /**
   * Takes new credentials from the profile or role, once for however many callers.
   * @throws Fault CREDENTIALS when they were given as fixed keys.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    if (this.config.accessKeyId !== undefined) {
      throw new Fault(
        "CREDENTIALS",
        "S3: the session token has expired; get new keys and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
      );
    }
    signal.throwIfAborted();
    this.#refreshing ??= (async () => {
      try {
        await this.#client.config.credentials({ forceRefresh: true });
      } catch (error) {
        throw s3Fault(error, { doing: "S3: new credentials", bucket: "" });
      } finally {
        this.#refreshing = undefined;
      }
    })();
    await this.#refreshing;
  }

  close(): void {
    this.#client.destroy();
  }
}

/** The SDK is loaded here and not before: it takes longer than all the rest of the program. */
export async function openAccess(config: S3Config): Promise<S3Access> {
  const [sdk, { getSignedUrl }] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@aws-sdk/s3-request-presigner"),
  ]);
  const provider = providerOf(config);
  const region = config.region ?? (config.endpoint === undefined ? undefined : "us-east-1");
  const client = new sdk.S3Client({
    ...(region === undefined ? {} : { region }),
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(config.profile === undefined ? {} : { profile: config.profile }),
    ...(config.accessKeyId === undefined || config.secretAccessKey === undefined
      ? {}
      : {
          credentials: {
            accessKeyId: config.accessKeyId,
            secretAccessKey: config.secretAccessKey,
            ...(config.sessionToken === undefined ? {} : { sessionToken: config.sessionToken }),
          },
        }),
    forcePathStyle: provider.pathStyle,
    // Checksums are given where they are wanted; what the SDK would add breaks other servers than Amazon's.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    expectContinueHeader: false,
    // Retry has one place and one rule: `call` above, which knows faults, Retry-After and the caller's signal.
    maxAttempts: 1,
    requestHandler: openTransport(config.ca),
  });
  return new S3Access(sdk, getSignedUrl, client, config);
}

/** What HEAD tells of an object. */
export type ObjectHead = HeadObjectCommandOutput & { readonly ContentLength: number };

/**
 * The object as it is now, or undefined when there is none.
 * @throws Fault PERMISSION, CREDENTIALS and so on, by the reason that the server gives.
 */
export async function headObject(
  access: S3Access,
  location: S3Location,
  signal: AbortSignal,
): Promise<ObjectHead | undefined> {
  const { sdk, provider } = access;
  const ask = { Bucket: location.bucket, Key: location.key };
  try {
    const head = await access.call(
      location,
      "looking for the object",
      QUICK_MS,
      (client, options) =>
        client.send(
          new sdk.HeadObjectCommand({
            ...ask,
            ...(provider.wholeObjectCrc ? { ChecksumMode: "ENABLED" } : {}),
          }),
          options,
        ),
      signal,
    );
    return { ...head, ContentLength: head.ContentLength ?? 0 };
  } catch (error) {
    const fault = Fault.from(error, access.nameOf(location));
    if (fault.code === "NOT_FOUND") return undefined;
    const { status } = fault.details as { status?: number };
    if (s3Code(fault) !== "" || (status !== 400 && status !== 403)) throw fault;
  }
  return headRefused(access, location, signal);
}

/** A reply to HEAD has no body and so gives no reason: a GET of one byte does. */
async function headRefused(access: S3Access, location: S3Location, signal: AbortSignal): Promise<undefined> {
  const name = access.nameOf(location);
  const asked = { doing: `${name}: looking for the object`, bucket: location.bucket };
  const command = new access.sdk.GetObjectCommand({ Bucket: location.bucket, Key: location.key });
  const { ca } = access.config;
  const fault = await withRetry(
    asked.doing,
    DEFAULT_RETRY,
    async () => {
      const url = await access.presign(location, command, signal);
      const headers = { range: "bytes=0-0" };
      const reply = await http(
        { method: "GET", url, headers, name, ...(ca === undefined ? {} : { ca }) },
        signal,
      );
      if (reply.status < 300) {
        await discardBody(reply);
        return new Fault("PERMISSION", `${name}: may be read, but the server refuses HEAD`);
      }
      const refused = replyFault(reply.status, reply.headers, await readText(reply, 65_536, name), asked);
      if (refused.retryable) throw refused;
      return refused;
    },
    signal,
  );
  if (s3Code(fault) === "NoSuchKey") return undefined;
  throw fault;
}
