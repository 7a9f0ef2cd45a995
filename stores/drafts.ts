import { RegistryError } from '../registry/spec/errors.ts'

/** A draft's id becomes a file name or a key: nothing else may pass, whoever forgot to look. @throws RegistryError BLOB_UPLOAD_UNKNOWN */
export function checkDraftId(id: string): void {
  if (!/^[a-z0-9-]{1,128}$/.test(id)) throw draftErrors.unknown()
}

/** Errors that every BlobStore gives in the same words. */
export const draftErrors = {
  outOfOrder: (offset: number, size: number) =>
    new RegistryError('RANGE_INVALID', `The upload goes on at byte ${size}, not at ${offset}.`, { offset, size }),
  busy: () => new RegistryError('RANGE_INVALID', 'Another request is writing to this upload; ask for its status and go on from there.'),
  unknown: () => new RegistryError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload; begin a new one.'),
  ended: () => new RegistryError('BLOB_UPLOAD_INVALID', 'This upload is no longer being written.'),
  outside: (size: number) => new RegistryError('RANGE_INVALID', `The range lies outside the ${size} bytes that are here.`),
}
