import { describe, expect, it } from "vitest";
import { daemonSettingsSchema } from "../../src/config/daemon-settings.ts";
import { readYaml } from "../../src/config/yaml.ts";
import { Fault } from "../../src/fault/fault.ts";

const SECRET = "s3cr3t-that-nobody-may-see";

const DIGEST = "ab".repeat(32);
/** As YAML has it; in a template it would stand for something else. */
const ref = (name: string) => `\${${name}}`;

const references = {
  variable: (name: string) => ({ KEY: SECRET, EMPTY: "" })[name],
  file(path: string) {
    if (path === "/run/key") return `${SECRET}\n`;
    throw new Fault("NOT_FOUND", `${path}: no such file or directory`);
  },
};

function read(yaml: string) {
  return readYaml(yaml, "daemon.yaml", daemonSettingsSchema, references);
}

function refusal(yaml: string): string {
  try {
    read(yaml);
  } catch (error) {
    if (error instanceof Fault && error.code === "USAGE") return error.message;
    throw error;
  }
  return "nothing was refused";
}

/** Two regions that stand, for what is added. */
const STANDING = `regions:
  east: { imageStore: east-images }
  west: { imageStore: west-images }
destinations:
  east-images: { region: east, location: /srv/east }
  west-images: { region: west, location: /srv/west }
`;
const LINES = STANDING.split("\n").length;

describe("the configuration of the daemon", () => {
  it("may be empty: then it listens on loopback, and nobody but the owner of its directory is known", () => {
    const settings = read("");
    expect(settings.listen).toEqual({ cleartext: { host: "127.0.0.1", port: 7411 } });
    expect(settings.callers).toEqual({ tokens: [], certificates: [], accessKeys: [] });
    expect(settings).toMatchObject({ urls: [], roots: {}, limits: { memory: 512 * 1024 ** 2, runs: 32 } });
  });

  it("takes secrets from the environment and from files", () => {
    const { credentials } = read(
      [
        "credentials:",
        `  a: { s3: { accessKeyId: '${ref("KEY")}', secretAccessKey: '${ref("file:/run/key")}' } }`,
        `  b: { oss: { region: cn-hangzhou, accessKeyId: 'x-${ref("KEY")}-$$', accessKeySecret: $$KEY } }`,
      ].join("\n"),
    );
    expect(credentials["a"]?.s3).toMatchObject({ accessKeyId: SECRET, secretAccessKey: SECRET });
    expect(credentials["b"]?.oss).toMatchObject({ accessKeyId: `x-${SECRET}-$`, accessKeySecret: "$KEY" });
  });

  it("reads sizes with their suffixes", () => {
    const { regions, limits } = read(
      `${STANDING}limits: { memory: 1.5G }\n`.replace(
        "east-images }",
        "east-images, bandwidth: 64K, largestCopy: 10 }",
      ),
    );
    expect(limits.memory).toBe(1.5 * 1024 ** 3);
    expect(regions["east"]).toMatchObject({ bandwidth: 65_536, largestCopy: 10 });
  });

  it.each<readonly [string, string, string]>([
    ["a word that is no mapping", "nonsense", "daemon.yaml:1: settings: "],
    ["broken YAML", "listen:\n  cleartext: {", "daemon.yaml:2: "],
    ["a key that does not exist", "listen:\n  clear: {}", "daemon.yaml:2: listen: "],
    ["a misspelt key below", "log:\n  level: info\n  path: /x", "daemon.yaml:2: log: "],
    [
      "a relative state directory",
      "stateDirectory: state",
      "daemon.yaml:1: stateDirectory: an absolute path",
    ],
    [
      "a port that is none",
      "listen:\n  cleartext:\n    port: 65536",
      "daemon.yaml:3: listen.cleartext.port: ",
    ],
    ["no way in", "listen: {}", "daemon.yaml:1: listen: cleartext or tls"],
    ["TLS without a key", "listen:\n  tls:\n    certificate: /x", "daemon.yaml:3: listen.tls.key: "],
    [
      "a token in clear",
      `callers:\n  tokens:\n    - name: a\n      project: p\n      role: user\n      sha256: ${SECRET}`,
      "daemon.yaml:6: callers.tokens.0.sha256: a SHA-256",
    ],
    [
      "a role that is none",
      `callers:\n  tokens:\n    - { name: a, project: p, role: root, sha256: ${DIGEST} }`,
      "daemon.yaml:3: callers.tokens.0.role: ",
    ],
    [
      "a token that is named twice",
      `callers:\n  tokens:\n${`    - { name: a, project: p, role: user, sha256: ${DIGEST} }\n`.repeat(2)}`,
      "daemon.yaml:4: callers.tokens.1.sha256: this token is named twice",
    ],
    [
      "certificates that no authority stands for",
      "callers:\n  certificates:\n    - { name: a, project: p, role: user, commonName: a }",
      "daemon.yaml:3: callers.certificates: certificates need listen.tls.clientAuthorities",
    ],
    [
      "a certificate that is told in two ways",
      `callers:\n  certificates:\n    - { name: a, project: p, role: user, commonName: a, sha256: ${DIGEST} }`,
      "daemon.yaml:3: callers.certificates.0: either commonName or sha256",
    ],
    [
      "a credential for two stores",
      "credentials:\n  c:\n    s3: {}\n    oss: { region: x, accessKeyId: x, accessKeySecret: x }",
      "daemon.yaml:3: credentials.c: one store",
    ],
    [
      "half a pair of keys",
      `credentials:\n  c:\n    s3:\n      secretAccessKey: ${SECRET}`,
      "daemon.yaml:4: credentials.c.s3: ",
    ],
    [
      "a login that is none",
      `credentials:\n  c:\n    swift:\n      login: { kind: v2, authUrl: http://x, password: ${SECRET} }`,
      "daemon.yaml:4: credentials.c.swift.login",
    ],
    [
      "a user without a domain",
      `credentials:\n  c:\n    swift:\n      login:\n        kind: v3-password\n        authUrl: http://x\n        user:\n          name: u\n          domain: ${SECRET}\n        password: x\n        project: { id: p }`,
      "daemon.yaml:9: credentials.c.swift.login.user.domain: ",
    ],
    [
      "a variable that is not set",
      `log:\n  level: info\n  file: ${ref("NONE")}`,
      `daemon.yaml:3: ${ref("NONE")}: the environment`,
    ],
    [
      "a variable that is empty",
      `runner: ${ref("EMPTY")}`,
      `daemon.yaml:1: ${ref("EMPTY")}: the environment has no such variable`,
    ],
    [
      "a file that is not there",
      `runner: ${ref("file:/none")}`,
      `daemon.yaml:1: ${ref("file:/none")}: /none: no such file`,
    ],
    ["an anchor that is not there", "runner: *no", "daemon.yaml: refers to an anchor"],
    ["a region without an image store", "regions:\n  east: {}", "daemon.yaml:2: regions.east.imageStore: "],
    [
      "an image store that is not there",
      "regions:\n  east: { imageStore: none }",
      "daemon.yaml:2: regions.east.imageStore: there is no destination none",
    ],
    [
      "an image store with a name that objects have by birth",
      "regions:\n  east: { imageStore: constructor }",
      "daemon.yaml:2: regions.east.imageStore: there is no destination constructor",
    ],
    [
      "an image store in another region",
      STANDING.replace("west-images }", "east-images }"),
      "daemon.yaml:3: regions.west.imageStore: destination east-images is in region east",
    ],
    [
      "slots below nothing",
      STANDING.replace("east-images }", "east-images, slots: { copy: -1 } }"),
      "daemon.yaml:2: regions.east.slots.copy: ",
    ],
    [
      "a rate that is none",
      STANDING.replace("east-images }", "east-images, bandwidth: fast }"),
      "daemon.yaml:2: regions.east.bandwidth: bytes, or a number with K, M, G or T",
    ],
    [
      "a neighbour that is not there",
      STANDING.replace("east-images }", "east-images, ingressFrom: [west, north] }"),
      "daemon.yaml:2: regions.east.ingressFrom.1: there is no region north",
    ],
    [
      "a format that is none",
      STANDING.replace("east-images }", "east-images, imageWrite: { format: vmdk } }"),
      "daemon.yaml:2: regions.east.imageWrite.format: ",
    ],
    [
      "a destination in no region",
      `${STANDING}  quay: { region: north, location: /srv }`,
      `daemon.yaml:${LINES}: destinations.quay.region: there is no region north`,
    ],
    [
      "a location that is none",
      `${STANDING}  quay: { region: east, location: srv }`,
      `daemon.yaml:${LINES}: destinations.quay.location: swift://`,
    ],
    [
      "a URL as a location",
      `${STANDING}  quay: { region: east, location: 'https://user:${SECRET}@x/' }`,
      `daemon.yaml:${LINES}: destinations.quay.location: swift://`,
    ],
    [
      "a bucket without a credential",
      `${STANDING}  quay: { region: east, location: s3://b }`,
      `daemon.yaml:${LINES}: destinations.quay: s3 needs a credential`,
    ],
    [
      "a credential that is not there",
      `${STANDING}  quay: { region: east, location: s3://b, credential: toString }`,
      `daemon.yaml:${LINES}: destinations.quay.credential: there is no credential toString`,
    ],
    [
      "a credential of another store",
      `${STANDING}  quay: { region: east, location: swift://b, credential: c }\ncredentials: { c: { s3: {} } }`,
      `daemon.yaml:${LINES}: destinations.quay.credential: credential c is not for swift`,
    ],
    [
      "a directory with a credential",
      `${STANDING}  quay: { region: east, location: /srv, credential: c }\ncredentials: { c: { s3: {} } }`,
      `daemon.yaml:${LINES}: destinations.quay.credential: a directory takes no credential`,
    ],
    [
      "a volume below no root",
      `${STANDING}volumes:\n  v: { project: p, region: east, root: r, path: x }`,
      `daemon.yaml:${LINES + 1}: volumes.v.root: there is no root r`,
    ],
    [
      "a volume in no region",
      `${STANDING}roots: { r: /dev }\nvolumes:\n  v: { project: p, region: north, root: r, path: x }`,
      `daemon.yaml:${LINES + 2}: volumes.v.region: there is no region north`,
    ],
    ["a root that is relative", "roots:\n  r: dev", "daemon.yaml:2: roots.r: an absolute path"],
    ["a name that leads elsewhere", "roots:\n  ../r: /dev", "daemon.yaml:2: roots"],
    ["a URL that is none", "urls: [https://x/, ftp://y/]", "daemon.yaml:1: urls.1: "],
    [
      "a quota below nothing",
      "projects: { p: { quotas: { images: -1 } } }",
      "daemon.yaml:1: projects.p.quotas.images: ",
    ],
    ["a retention of nothing", "retention: { taskDays: 0 }", "daemon.yaml:1: retention.taskDays: "],
    ["metrics for somebody", "metrics: { access: some }", "daemon.yaml:1: metrics.access: "],
    ["no thread at all", "limits: { threads: 0 }", "daemon.yaml:1: limits.threads: "],
  ])("refuses %s by file, line and field, and shows no value", (_, yaml, message) => {
    const refused = refusal(yaml);
    expect(refused.slice(0, message.length)).toBe(message);
    expect(refused).not.toContain(SECRET);
    expect(refused).not.toContain("\n");
  });

  it("tells how much else is wrong", () => {
    expect(refusal("runner: /\nstateDirectory: x\nlog: { level: x }")).toMatch(
      /^daemon\.yaml:2: .*\(and 2 more\)$/,
    );
  });
});
