// The certified OpenID provider of npm on a free port of the loopback address.
// In, one line of JSON: {jwks, clients, accounts: {login: claims}, tls: {key, cert} or null}.  Out: "ready <issuer>".
// Everything a person does goes through the provider's own development pages: any login with any password.

import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const { jwks, clients, accounts, tls } = JSON.parse(line);
lines.on("close", () => process.exit(0)); // whoever started it is gone

const server = tls ? https.createServer(tls) : http.createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `${tls ? "https" : "http"}://127.0.0.1:${server.address().port}`;

const names = new Set(Object.values(accounts).flatMap((claims) => Object.keys(claims)));
const provider = new Provider(issuer, {
  jwks,
  clients,
  claims: { openid: ["sub", ...names] },
  conformIdTokenClaims: false, // the ID token itself carries the claims, not only the user-info answer
  cookies: { keys: ["a key of a test"] },
  enabledJWA: {
    idTokenSigningAlgValues: ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "EdDSA", "HS256"],
  },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  findAccount: (context, id) =>
    id in accounts && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
});
server.on("request", provider.callback());
process.stdout.write(`ready ${issuer}\n`);
