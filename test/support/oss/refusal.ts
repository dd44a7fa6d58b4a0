/** What the strict OSS server answers when it does not do what it is asked. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly ec: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    options: { readonly ec?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.ec = options.ec ?? "0000-00000000";
    this.headers = options.headers ?? {};
  }
}
