/** What is needed to speak to an S3 server, and where the environment says it. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { Fault } from "../../fault/fault.ts";

const CREDENTIALS_HINT =
  "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither and name a profile";

export const S3Config = z
  .strictObject({
    /** Base URL of an S3-compatible server; absent: Amazon's own. */
    endpoint: z.url({ protocol: /^https?$/ }).optional(),
    /** Absent: `us-east-1` with an endpoint, else what the profile says. */
    region: z.string().min(1).optional(),
    /** Absent with its secret: the SDK's chain of profiles, SSO, container and instance roles. */
    accessKeyId: z.string().min(1).optional(),
    secretAccessKey: z.string().min(1).optional(),
    sessionToken: z.string().min(1).optional(),
    /** Section of the shared configuration files to take credentials and region from. */
    profile: z.string().min(1).optional(),
    /** Bucket in the path rather than in the host name; absent: as the provider wants it. */
    pathStyle: z.boolean().optional(),
    /** PEM text of further certificate authorities to trust. */
    ca: z.string().min(1).optional(),
    /** What the server can do; absent: `aws` without an endpoint or with one below amazonaws.com. */
    provider: z.enum(["aws", "compatible"]).optional(),
  })
  .refine((config) => (config.accessKeyId === undefined) === (config.secretAccessKey === undefined), {
    message: CREDENTIALS_HINT,
  });

export type S3Config = z.infer<typeof S3Config>;

/** One object's place. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration that the variables of the AWS tools describe; an empty variable counts as unset. The file that
 * AWS_CA_BUNDLE names is read here, once.
 * @throws Fault CREDENTIALS naming the half of a key pair that is missing; USAGE; NOT_FOUND for the bundle.
 */
export function s3ConfigFromEnvironment(env: Environment): S3Config {
  const value = (name: string): string | undefined => env[name] || undefined;
  const id = value("AWS_ACCESS_KEY_ID");
  const secret = value("AWS_SECRET_ACCESS_KEY");
  if ((id === undefined) !== (secret === undefined)) {
    const missing = id === undefined ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY";
    throw new Fault("CREDENTIALS", `S3: ${missing} is not set; ${CREDENTIALS_HINT}`);
  }
  const endpoint = value("AWS_ENDPOINT_URL_S3") ?? value("AWS_ENDPOINT_URL");
  const bundle = value("AWS_CA_BUNDLE");
  const given = {
    endpoint,
    region: value("AWS_REGION") ?? value("AWS_DEFAULT_REGION"),
    accessKeyId: id,
    secretAccessKey: secret,
    // A session token belongs to its key: without the key it is a leftover.
    sessionToken: id === undefined ? undefined : value("AWS_SESSION_TOKEN"),
    profile: value("AWS_PROFILE"),
    ca: bundle === undefined ? undefined : readBundle(bundle),
  };
  const config = S3Config.safeParse(given);
  if (config.success) return config.data;
  throw new Fault("USAGE", `S3: AWS_ENDPOINT_URL "${endpoint}" is not an http or https URL`);
}

function readBundle(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw Fault.from(error, `AWS_CA_BUNDLE ${path}`);
  }
}
