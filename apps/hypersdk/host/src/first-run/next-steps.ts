/** What the lines are about; paths as one would type them here. */
export interface RunningPlaces {
  readonly url: string
  readonly socket: string
  readonly token: string
  readonly folder: string
}

/** Lines to paste into another terminal while the daemon serves. */
export function nextSteps({ url, socket, token, folder }: RunningPlaces): string {
  return `
Try in another terminal:

  curl --unix-socket ${socket} http://localhost/api/providers
  curl -H "Authorization: Bearer $(cat ${token})" ${url}/api/providers/samples/vms
  curl --unix-socket ${socket} http://localhost/jobs/submit -H 'Content-Type: application/yaml' --data-binary '
    provider: samples
    vm_id: sample-server.raw
    format: raw
    compress: true'

  export HYPERSDK_SOCKET=${socket}
  npm run hyperctl -- providers
  npm run hyperctl -- plugins list

Drop a plugin's folder into ${folder}/plugins and it is listed at once, without a restart.
The API is described at ${url}/openapi.json. Ctrl-C stops.
`
}
