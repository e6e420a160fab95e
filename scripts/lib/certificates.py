"""Certificates for a cluster on this machine, made with openssl: an authority of its own, one certificate
for the nodes and one for a client. For trying things out and for tests: nobody guards the keys."""

import os
import subprocess

DAYS = "3650"
NODE_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


class CertificateError(Exception):
    """openssl made none; one sentence."""


def openssl(*words):
    done = subprocess.run(["openssl", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise CertificateError(f"openssl {words[0]} failed: {done.stderr.strip()[-300:]}")


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    os.chmod(path, 0o600)


def authority(directory, name="Kiwi on this machine"):
    """ca.crt and ca.key in the directory."""
    os.makedirs(directory, exist_ok=True)
    key, cert = os.path.join(directory, "ca.key"), os.path.join(directory, "ca.crt")
    new_key(key)
    openssl("req", "-x509", "-new", "-key", key, "-days", DAYS, "-subj", f"/CN={name}", "-out", cert)


def sign(directory, name, common_name, extension=None):
    """NAME.crt and NAME.key, signed by the directory's authority."""
    def path(suffix):
        return os.path.join(directory, f"{name}.{suffix}")

    new_key(path("key"))
    openssl("req", "-new", "-key", path("key"), "-subj", f"/CN={common_name}", "-out", path("csr"))
    words = ["x509", "-req", "-in", path("csr"), "-days", DAYS,
             "-CA", os.path.join(directory, "ca.crt"), "-CAkey", os.path.join(directory, "ca.key"),
             "-CAcreateserial", "-out", path("crt")]
    if extension:
        with open(path("ext"), "w") as file:
            file.write(extension + "\n")
        words += ["-extfile", path("ext")]
    openssl(*words)


def make(directory, user="client"):
    """All of it, unless it is there."""
    if os.path.exists(os.path.join(directory, "client.crt")):
        return
    authority(directory)
    sign(directory, "node", "localhost", NODE_NAMES)
    sign(directory, "client", user)


def server_options(directory):
    """name -> value, beside tls-port."""
    return {"tls-cert-file": os.path.join(directory, "node.crt"),
            "tls-key-file": os.path.join(directory, "node.key"),
            "tls-ca-cert-file": os.path.join(directory, "ca.crt")}


def client_words(directory):
    """For redis-cli and redis-benchmark."""
    return ["--tls", "--cacert", os.path.join(directory, "ca.crt"),
            "--cert", os.path.join(directory, "client.crt"),
            "--key", os.path.join(directory, "client.key")]
