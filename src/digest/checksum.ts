/** Names of the checksums that stores ask for. */

/** Of each part; the CRCs of the object as a whole, too. */
export type ChecksumName = "md5" | "crc64xz" | "crc64nvme";

/** MD5 as 32, CRC-64 as 16 lower-case hex digits. */
export type Checksums = Readonly<Partial<Record<ChecksumName, string>>>;
