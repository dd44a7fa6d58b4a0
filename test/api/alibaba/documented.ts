/** The error tables of the three documents, in their order: what clients were written against. */

export interface DocumentedError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export const DOCUMENTED: Readonly<Record<string, DocumentedError>> = {
  "EX-E1": {
    status: 400,
    code: "Forbidden",
    message: "User is not authorized to operate on the specified image.",
  },
  "EX-E2": { status: 400, code: "IncorrectImageStatus", message: "The image is not available." },
  "EX-E3": {
    status: 400,
    code: "MissingParameter",
    message: "An input parameter RegionId that is mandatory for processing the request is not supplied.",
  },
  "EX-E4": {
    status: 400,
    code: "MissingParameter",
    message: "An input parameter ImageId that is mandatory for processing the request is not supplied.",
  },
  "EX-E5": {
    status: 400,
    code: "MissingParameter",
    message: "An input parameter OssBucket that is mandatory for processing the request is not supplied.",
  },
  "EX-E6": { status: 400, code: "OssBucket.NotFound", message: "The specified OssBucket does not exist." },
  "EX-E7": {
    status: 400,
    code: "OssPrefix.Malformed",
    message: "The specified OssPrefix format is incorrect.",
  },
  "EX-E8": { status: 400, code: "RegionId.NotFound", message: "The specified RegionId does not exist." },
  "EX-E9": { status: 403, code: "ExportImageFailed", message: "Failed to export image." },
  "EX-E10": { status: 403, code: "ImageId.NotFound", message: "The image does not exist." },
  "EX-E11": {
    status: 403,
    code: "ImageNotSupported",
    message: "The specified image is from the image market and does not support export.",
  },
  "EX-E12": {
    status: 403,
    code: "InvalidRegion.NotSupport",
    message: "The specified region does not support image import or export.",
  },
  "EX-E13": {
    status: 403,
    code: "OperationDenied.ImageExporting",
    message: "The specified image is being exported.",
  },
  "IM-E1": {
    status: 400,
    code: "Forbbiden",
    message: "User not authorized to operate on the specified resource",
  },
  "IM-E2": { status: 400, code: "IncorrectImageStatus", message: "The specified image is not available." },
  "IM-E3": {
    status: 400,
    code: "InvalidArchitecture.Malformed",
    message: "The specified Architecture is wrongly formed.",
  },
  "IM-E4": {
    status: 400,
    code: "InvalidDescription.Malformed",
    message: "The specified destination image description is wrongly formed.",
  },
  "IM-E5": {
    status: 400,
    code: "InvalidFormat.Malformed",
    message: "The specified Image format is wrongly formed.",
  },
  "IM-E6": { status: 400, code: "InvalidImageName.Duplicated", message: "The destination image is exist." },
  "IM-E7": {
    status: 400,
    code: "InvalidImageName.Malformed",
    message: "The specified destination Image name is wrongly formed.",
  },
  "IM-E8": {
    status: 400,
    code: "InvalidImageSize",
    message: 'The specified "DiskDeviceMapping.n.DiskImageSize" should be not less than system device size.',
  },
  "IM-E9": {
    status: 400,
    code: "InvalidOSType.Malformed",
    message: "The specified OSType is wrongly formed.",
  },
  "IM-E10": {
    status: 400,
    code: "InvalidPlatform.Malformed",
    message: "The specified Platform is wrongly formed.",
  },
  "IM-E11": {
    status: 400,
    code: "MissingParameter",
    message: 'An input parameter "RegionId" that is mandatory for processing the request is not supplied.',
  },
  "IM-E12": {
    status: 400,
    code: "MissingParameter",
    message:
      'An input parameter "DiskDeviceMapping.n.OSSBucket" that is mandatory for processing the request is not supplied.',
  },
  "IM-E13": {
    status: 400,
    code: "MissingParameter",
    message:
      'An input parameter "DiskDeviceMapping.n.OSSObject" that is mandatory for processing the request is not supplied.',
  },
  "IM-E14": { status: 400, code: "RegionId.NotFound", message: "The specified region is not found." },
  "IM-E15": { status: 403, code: "ImageIsImporting", message: "The specified Image is importing." },
  "IM-E16": {
    status: 403,
    code: "InvalidRegion.NotSupport",
    message: "The specified region does not support image import or export.",
  },
  "IM-E17": { status: 403, code: "QuotaExceed.Image", message: "The Image Quota exceeds." },
  "IM-E18": {
    status: 403,
    code: "QuotaExceed.Snapshot",
    message: "The maximum number of snapshots is exceeded.",
  },
  "CP-E1": {
    status: 400,
    code: "InvalidDescription.Malformed",
    message: "The specified destination description is wrongly formed.",
  },
  "CP-E2": { status: 400, code: "SourceRegion.NotFound", message: "The source region not found." },
  "CP-E3": { status: 400, code: "DestinationRegion.NotFound", message: "The destination region not found." },
  "CP-E4": { status: 400, code: "IncorrectImageStatus", message: "The image not available." },
  "CP-E5": {
    status: 400,
    code: "InvalidSnapshotId.NotFound",
    message: "The specified SnapshotId does not exist.",
  },
  "CP-E6": {
    status: 400,
    code: "InvalidImageName.Duplicated",
    message: "The specified image name is already in use in the target region. Please try a different one.",
  },
  "CP-E7": {
    status: 400,
    code: "InvalidParameter.EncryptedIllegal",
    message: "The specified parameter Encrypted must be true when kmsKeyId is not empty.",
  },
  "CP-E8": {
    status: 400,
    code: "InvalidEncrypted.NotMatchEncryptAlgorithm",
    message: "The specified parameter Encrypted must be true when EncryptAlgorithm is not empty.",
  },
  "CP-E9": {
    status: 400,
    code: "InvalidEncryptAlgorithm",
    message: "The specified parameter EncryptAlgorithm is not valid.",
  },
  "CP-E10": {
    status: 400,
    code: "InvalidEncrypted.NotMatchKmsKeyId",
    message: "The specified parameter Encrypted must be true when KmsKeyId is not empty.",
  },
  "CP-E11": {
    status: 400,
    code: "OperationDenied.CommunityImage",
    message: "Community image does not support copy.",
  },
  "CP-E12": {
    status: 400,
    code: "InvalidImageName.Malformed",
    message: "The specified destination image name is wrongly formed.",
  },
  "CP-E13": {
    status: 400,
    code: "InvalidParameter.KmsNotEnabled",
    message: "The specified operation need enable KMS.",
  },
  "CP-E14": {
    status: 400,
    code: "OperationDenied.ImageCopyConflict",
    message:
      "The same image cannot be copied concurrently. Please wait until the last copy is completed before performing the next operation.",
  },
  "CP-E15": { status: 400, code: "Account.Arrearage", message: "Your account has an outstanding payment." },
  "CP-E16": { status: 400, code: "Duplicate.TagKey", message: "The Tag.N.Key contain duplicate key." },
  "CP-E17": { status: 401, code: "InvalidAliUid.IsNull", message: "The aliUid must not be null." },
  "CP-E18": {
    status: 500,
    code: "InternalError",
    message: "The request processing has failed due to some unknown error, exception or failure.",
  },
  "CP-E19": {
    status: 403,
    code: "Forbbiden",
    message: "User not authorized to operate on the specified resource.",
  },
  "CP-E20": {
    status: 403,
    code: "InvalidOperation.CopyingDataFromThisRegionUnsupported",
    message: "Data transfer from the current region to other regions is not supported.",
  },
  "CP-E21": {
    status: 403,
    code: "InvalidOperation.CopyingDataToThisRegionUnsupported",
    message: "Only Some Regions %s can copy data to this region.",
  },
  "CP-E22": {
    status: 403,
    code: "QuotaExceed.Image",
    message: "The number of images exceeds the limit (%s).",
  },
  "CP-E23": { status: 403, code: "QuotaExceed.Snapshot", message: "The snapshot quota exceeds." },
  "CP-E24": {
    status: 403,
    code: "OperationDenied.ImageCopying",
    message: "The image is currently being copied. Please try again later.",
  },
  "CP-E25": { status: 403, code: "RegionNotSupportCopy", message: "The region not support copy." },
  "CP-E26": {
    status: 403,
    code: "InvalidSnapshot.TooOld",
    message: "This operation is denied because the specified snapshot is created before 2013-07-15.",
  },
  "CP-E27": {
    status: 403,
    code: "OperationDenied",
    message: "The specified snapshot is not allowed to create image.",
  },
  "CP-E28": {
    status: 403,
    code: "IncorrectDestinationRegion",
    message: "The destination region is not equal the target region.",
  },
  "CP-E29": {
    status: 403,
    code: "OperationDeined.EncryptedSnapshot",
    message: "The image contains encrypted snapshots, which do not support copying.",
  },
  "CP-E30": {
    status: 403,
    code: "OperationDenied.SameRegionOnly",
    message: "The image shared from others can not be copied to another region directly.",
  },
  "CP-E31": {
    status: 403,
    code: "OperationDenied.NotPublished",
    message:
      "The operation is denied because corresponding marketplace image is not published in destination region.",
  },
  "CP-E32": {
    status: 403,
    code: "OperationDenied.NotAuthorized",
    message:
      "The operation is denied because corresponding marketplace image is not authorized to current user.",
  },
  "CP-E33": {
    status: 403,
    code: "OperationDenied.EncryptSnapshotAcrossRegion",
    message: "The image do not contain encrypted snapshots, which do not support copying to encrypted ones.",
  },
  "CP-E34": {
    status: 403,
    code: "InvalidParameter.KMSKeyId.KMSUnauthorized",
    message: "ECS service have no right to access your KMS.",
  },
  "CP-E35": {
    status: 403,
    code: "InvalidRegion.NotSupport",
    message: "The specified region does not support byok.",
  },
  "CP-E36": { status: 403, code: "UserNotInTheWhiteList", message: "The user is not in byok white list." },
  "CP-E37": {
    status: 403,
    code: "InvalidRegionId.NotSupportEncryptAlgorithm",
    message: "The current region does not support creating encrypted disks with EncryptAlgorithm.",
  },
  "CP-E38": {
    status: 403,
    code: "OperationDenied.KmsServiceUnauthorized",
    message: "The account is not authorized to kms service, please authorize it.",
  },
  "CP-E39": {
    status: 403,
    code: "OperationDenied.NonCompliantDestinationRegion",
    message: "The copy operation to the destination region is not in compliance with regulations.",
  },
  "CP-E40": {
    status: 403,
    code: "InvalidEncrypted.NotMatchDiskDefaultEncryption",
    message: "The specified parameter Encrypted not match for your account default encryption settings.",
  },
  "CP-E41": {
    status: 403,
    code: "InvalidParameter.DataEncryptedKeyCreateFailed",
    message:
      "Create kms data encrypted key fail. If you need further assistance, you can contact the KMS Technical Support.",
  },
  "CP-E42": {
    status: 403,
    code: "SizeExceed.Image",
    message:
      "The image exceeds the maximum size. You can use the CopySnapshot API to copy your snapshots of the image and then create a new image from them.",
  },
  "CP-E43": {
    status: 403,
    code: "InvalidParameter.KMSKeyId.CMKNotEnabled",
    message: "The CMK (Customer Master Key) must be in an active state.",
  },
  "CP-E44": {
    status: 403,
    code: "InvalidParameter.KMSKeyId.CMKUnauthorized",
    message: "The CMK(Customer Master Key) lacks authorization to add tags to the ECS service.",
  },
  "CP-E45": {
    status: 403,
    code: "InvalidOperation.VhdImageUnsupported",
    message:
      "The specified vhd image is not supported for this operation. Please switch to a raw image and retry.",
  },
  "CP-E46": {
    status: 403,
    code: "InvalidOperation.CloudBoxImageCopyUnsupported",
    message: "Copying CloudBox images is not supported.",
  },
  "CP-E47": {
    status: 404,
    code: "InvalidImageId.NotFound",
    message: "The specified ImageId does not exist.",
  },
  "CP-E48": {
    status: 404,
    code: "InvalidParameter.KMSKeyId.NotFound",
    message: "The specified KMSKeyId does not exist.",
  },
  "CP-E49": {
    status: 404,
    code: "InvalidResourceGroup.NotFound",
    message: "The ResourceGroup provided does not exist in our records.",
  },
  "CP-E50": {
    status: 409,
    code: "InvalidOperation.Conflict",
    message: "Request was denied due to conflict with a previous request, please try again later.",
  },
};
