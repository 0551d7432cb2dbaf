import { storageErrors } from '../errors.ts'

/** Whether a text can be the name of a secret: never a path, an option of a command, or empty. */
export function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)
}

/** Errors: `SECRET_NAME_INVALID`. */
export function checkSecretName(name: string): void {
  if (!isSecretName(name)) throw storageErrors.error('SECRET_NAME_INVALID', { name: name.slice(0, 128) })
}
