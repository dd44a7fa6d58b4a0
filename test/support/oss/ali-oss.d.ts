/** The calls of Alibaba's own client that the tests use; the package brings no types. */
declare module "ali-oss" {
  interface Reply {
    readonly res: { readonly status: number; readonly headers: Readonly<Record<string, string>> };
  }
  export interface Options {
    readonly region: string;
    readonly accessKeyId: string;
    readonly accessKeySecret: string;
    readonly stsToken?: string;
    readonly bucket?: string;
    readonly endpoint?: string;
    readonly sldEnable?: boolean;
    readonly authorizationV4?: boolean;
  }
  interface PartTag {
    readonly number: number;
    readonly etag: string;
  }
  export default class OSS {
    constructor(options: Options);
    put(
      name: string,
      content: Buffer,
      options?: { readonly headers?: Record<string, string> },
    ): Promise<Reply & { readonly name: string }>;
    get(
      name: string,
      options?: { readonly headers?: Record<string, string> },
    ): Promise<Reply & { readonly content: Buffer }>;
    head(name: string): Promise<Reply & { readonly meta: Record<string, string> | null }>;
    copy(name: string, source: string): Promise<Reply>;
    delete(name: string): Promise<Reply>;
    deleteMulti(names: readonly string[]): Promise<Reply & { readonly deleted: readonly unknown[] }>;
    list(
      query: Record<string, unknown>,
      options?: object,
    ): Promise<
      Reply & {
        readonly objects?: readonly { readonly name: string; readonly size: number }[];
        readonly isTruncated: boolean;
        readonly nextMarker: string | null;
      }
    >;
    listV2(
      query: Record<string, unknown>,
      options?: object,
    ): Promise<
      Reply & {
        readonly objects?: readonly { readonly name: string }[];
        readonly nextContinuationToken?: string;
      }
    >;
    initMultipartUpload(name: string, options?: object): Promise<Reply & { readonly uploadId: string }>;
    uploadPart(
      name: string,
      uploadId: string,
      number: number,
      file: string,
      start: number,
      end: number,
    ): Promise<Reply & { readonly etag: string }>;
    uploadPartCopy(
      name: string,
      uploadId: string,
      number: number,
      range: string,
      source: { readonly sourceKey: string; readonly sourceBucketName: string },
    ): Promise<Reply & { readonly etag: string }>;
    completeMultipartUpload(
      name: string,
      uploadId: string,
      parts: readonly PartTag[],
      options?: object,
    ): Promise<Reply & { readonly etag: string }>;
    abortMultipartUpload(name: string, uploadId: string): Promise<Reply>;
    listParts(
      name: string,
      uploadId: string,
      query?: Record<string, unknown>,
    ): Promise<
      Reply & {
        readonly parts: readonly { readonly PartNumber: string; readonly Size: string }[];
        readonly isTruncated: string;
      }
    >;
    listUploads(
      query: Record<string, unknown>,
    ): Promise<Reply & { readonly uploads: readonly { readonly name: string; readonly uploadId: string }[] }>;
    multipartUpload(
      name: string,
      file: string | Buffer,
      options?: object,
    ): Promise<Reply & { readonly etag: string }>;
    multipartUploadCopy(
      name: string,
      source: { readonly sourceKey: string; readonly sourceBucketName: string },
      options?: object,
    ): Promise<Reply>;
    signatureUrl(name: string, options?: object): string;
    signatureUrlV4(
      method: string,
      expires: number,
      request:
        | { readonly headers?: Record<string, string>; readonly queries?: Record<string, string> }
        | undefined,
      name: string,
      additional?: readonly string[],
    ): Promise<string>;
    authorizationV4(
      method: string,
      request: { readonly headers: Record<string, string>; readonly queries?: Record<string, string | null> },
      bucket: string,
      object: string,
      additional?: readonly string[],
    ): string;
  }
}
