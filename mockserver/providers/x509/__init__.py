"""Real X.509 certificates (RFC 5280) that follow from the seed and an identity alone.

The parts, each one step of the way to a leaf::

    derivation   seed and identity → octets: key material and serial numbers
    names        a resource's key → a host name under mock.test
    subject      names and a key, or a PKCS#10 request → what is to be certified
    issuer       a subject → a signed certificate: the profile
    authority    all of it: the mock root and intermediate, and ``leaf()``

``cryptography`` is imported when the first certificate is made, not before:
it takes 90 ms and 10 MB that a server without certificates need not spend.
"""

from mockserver.providers.x509.authority import LIFETIME_MS, Authority, Leaf, not_before
from mockserver.providers.x509.names import CertificateRequestError, host_name

__all__ = ["LIFETIME_MS", "Authority", "CertificateRequestError", "Leaf", "host_name", "not_before"]
