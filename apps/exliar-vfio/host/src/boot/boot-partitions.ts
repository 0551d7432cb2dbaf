/** Where the partition that a machine starts from is mounted. */
export const bootPartitions: readonly string[] = ['/boot', '/efi', '/boot/efi']
