"""Real X.509 certificates (RFC 5280), determined by the seed and the identity of a resource.

The modules::

    names        host names of resources; bytes derived from the seed: key material, serial numbers
    issuer       names and a key, or a PKCS#10 request → a signed certificate
    authority    the mock root CA and intermediate CA, and ``leaf()``

``cryptography`` is imported with the first certificate, because it takes 90 ms
and 10 MB.
"""

from mockserver.providers.x509.authority import LIFETIME_MS, Authority, Leaf, not_before
from mockserver.providers.x509.names import CertificateRequestError, host_name

__all__ = ["LIFETIME_MS", "Authority", "CertificateRequestError", "Leaf", "host_name", "not_before"]
