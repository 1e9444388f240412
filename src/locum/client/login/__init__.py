"""Logging in to a company's identity provider: what a person does there becomes something that STS accepts.

``oidc`` gets an ID token by the authorization code flow or the device flow, ``saml`` a SAML response by a form with a
password or by a browser.  Both are flows (:mod:`locum.client.effects`); ``landing`` is the page on this machine that a
browser is sent back to, ``pages`` what is read from an identity provider's own pages.  Each is imported by itself.

Nothing here verifies a token: that is the business of STS, whose answer decides.  What is read from one serves to
choose, and to refuse what was not asked for.
"""

from __future__ import annotations
