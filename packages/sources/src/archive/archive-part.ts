/** What a walk through an archive meets, in order. After a file come its bytes, as many as it says, and its end. */
export type ArchivePart =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly executable: boolean; readonly sizeBytes: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
