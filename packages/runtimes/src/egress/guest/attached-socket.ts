import { Socket } from 'node:net'

/**
 * Looks like a TLS connection to those who made it, and is a plain one to the broker, which keeps the secrets and speaks
 * TLS to where the plugin believes to be.
 */
export class AttachedSocket extends Socket {
  readonly encrypted = true
  readonly authorized = true
  readonly authorizationError: null = null
  readonly alpnProtocol = 'http/1.1'
  readonly servername: string
  secureConnecting = true

  constructor(servername: string) {
    super()
    this.servername = servername
    this.once('connect', () => {
      this.secureConnecting = false
      this.emit('secure')
      this.emit('secureConnect')
    })
  }

  getProtocol(): string {
    return 'TLSv1.3'
  }

  getPeerCertificate(): object {
    return {}
  }

  getSession(): undefined {
    return undefined
  }

  isSessionReused(): boolean {
    return false
  }

  setServername(): void {
    // The broker names the place it was granted for.
  }

  disableRenegotiation(): void {
    // There is nothing to negotiate.
  }
}
