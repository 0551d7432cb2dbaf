/*
 * What can be said of a package without a kernel: for tools that make or publish one.
 */
export { checkPackage } from './check-package.ts'
export { kernelErrors } from './errors.ts'
export { acceptManifest } from './stages/check.ts'
