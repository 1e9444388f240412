// npm's samlp as a SAML identity provider on a free port of the loopback address.
// In, one line of JSON: {entity, key, certificate, serviceProviders: {entity id: {acs, encrypt: certificate or null}},
// accounts: {login: {format, attributes}}}.  Out: "ready <url>".
// GET /sso?login=…&SAMLRequest=… answers the form that a browser posts; /metadata is the provider's own.

import { once } from "node:events";
import http from "node:http";
import { createInterface } from "node:readline";
import express from "express";
import samlp from "samlp";

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const { entity, key, certificate, serviceProviders, accounts } = JSON.parse(line);
lines.on("close", () => process.exit(0)); // whoever started it is gone

function mapper(user) {
  return {
    getClaims: () => user.attributes,
    getNameIdentifier: () => ({ nameIdentifier: user.login, nameIdentifierFormat: user.format }),
  };
}
mapper.prototype.metadata = [];

const app = express();
app.set("query parser", "extended");
app.get("/sso", (request, response, next) => {
  samlp.parseRequest(request, (error, asked) => {
    const service = serviceProviders[asked?.issuer];
    const { login } = request.query;
    if (error || !service || !Object.hasOwn(accounts, login)) return response.status(403).end();
    return samlp.auth({
      issuer: entity,
      key,
      cert: certificate,
      destination: service.acs,
      recipient: service.acs,
      lifetimeInSeconds: 300,
      signResponse: request.query.whole === "1",
      profileMapper: mapper,
      getUserFromRequest: () => ({ login, ...accounts[login] }),
      getPostURL: (audience, document, incoming, done) => done(null, service.acs),
      ...(service.encrypt ? { encryptionCert: service.encrypt.certificate, encryptionPublicKey: service.encrypt.key } : {}),
    })(request, response, next);
  });
});
app.get(
  "/metadata",
  samlp.metadata({ issuer: entity, cert: certificate, profileMapper: mapper, redirectEndpointPath: "/sso", postEndpointPath: "/sso" }),
);

const server = http.createServer(app);
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(`ready http://127.0.0.1:${server.address().port}\n`);
