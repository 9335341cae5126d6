/**
 * The examples at the end of the commands' helps.
 *
 * @module
 */
import type { Examples } from "./kit/help.ts";

/** The examples of each command, by what is typed for it. */
export const EXAMPLES: Examples = {
  "gxensemble run": [
    [
      "a server with the role httpd; its module's main gets the port",
      'gxensemble run --roles "(httpd)" httpd1 examples/httpd/httpd_svc.ts 8080',
    ],
    [
      "one that servers on other hosts reach, by a registry on another host",
      "gxensemble run -l tcp://10.0.0.2:4001 --registry tcp://10.0.0.1:4000 web1 main.ts",
    ],
    [
      "one whose actors and main may take half a minute to finish when it is stopped",
      "gxensemble run --grace 30 jobs1 main.ts",
    ],
    [
      "one whose main, and code that is loaded later, start no processes and write no files",
      "gxensemble run --deny run,ffi,write httpd1 examples/httpd/httpd_svc.ts 8080",
    ],
    [
      "one that takes no code from others",
      "gxensemble run --no-loader vault1 main.ts",
    ],
  ],
  "gxensemble registry": [
    ["for the servers of this host", "gxensemble registry"],
    [
      "for other hosts too, with its log in a file of its own",
      "gxensemble registry -l tcp://10.0.0.1:4000 --log-file -",
    ],
  ],
  "gxensemble load": [
    ["a module and all that it imports", "gxensemble load httpd1 handler.ts"],
    [
      "into several servers: two, and all of a role",
      "gxensemble load httpd1,httpd2 handler.ts",
      "gxensemble load --role httpd handler.ts",
    ],
    [
      "the module alone, linked to what the server runs already",
      "gxensemble load -f httpd1 handler.ts",
    ],
    ["a module that the server finds by itself", "gxensemble load --library httpd1 node:zlib"],
    ["the module's top level once more", "gxensemble load --rerun httpd1 handler.ts"],
    ["what has been loaded, and what is current", "gxensemble load --list httpd1"],
    [
      "what a load would do, if the types are right",
      "gxensemble load --check --dry-run httpd1 handler.ts",
    ],
  ],
  "gxensemble compile": [
    [
      "one file to copy to hosts that have neither Deno nor the sources",
      "gxensemble compile -o httpd examples/httpd/httpd_svc.ts",
      'scp httpd web1: && ssh web1 ./httpd --roles "(httpd)" httpd1 8080',
    ],
    [
      "with the pages that the program reads from beside its module",
      "gxensemble compile --include site/pages site/main.ts",
    ],
  ],
  "gxensemble eval": [
    ["an expression of JavaScript", "gxensemble eval httpd1 '1 + 2'"],
    ["in several servers", "gxensemble eval httpd1,httpd2 'ensemble.connections().length'"],
    ["in all that have a role", "gxensemble eval --role httpd 'Deno.memoryUsage().rss'"],
    [
      "what a module that the server runs exports",
      "gxensemble eval httpd1 'ensemble.module(\"handler.ts\").greeting'",
    ],
  ],
  "gxensemble repl": [
    ["at the terminal; ,help lists its control commands", "gxensemble repl httpd1"],
    ["from a pipe", "echo 'ensemble.actors.actors().length' | gxensemble repl httpd1"],
  ],
  "gxensemble ping": [
    ["a server", "gxensemble ping httpd1"],
    ["an actor in it", "gxensemble ping httpd1 loader"],
    ["for monitoring, which has no patience", "gxensemble ping --timeout 0.5 httpd1"],
    [
      "a server that the registry on another host knows",
      "gxensemble ping --registry tcp://10.0.0.1:4000 httpd1",
    ],
  ],
  "gxensemble shutdown": [
    ["a server, or several", "gxensemble shutdown httpd1", "gxensemble shutdown httpd2,httpd3"],
    ["an actor in it", "gxensemble shutdown httpd1 counter"],
    [
      "one that takes no messages, at once and without its clean-up",
      "gxensemble shutdown -f httpd1 counter",
    ],
    ["every server and the registry, without being asked", "gxensemble shutdown -f"],
  ],
  "gxensemble list-servers": [
    ["each with its roles and addresses", "gxensemble list-servers"],
    ["their ids alone", "gxensemble list-servers --json | jq -r '.[].server'"],
  ],
  "gxensemble list-actors": [
    ["a name a line", "gxensemble list-actors httpd1"],
  ],
  "gxensemble list-connections": [
    ["the servers at the other ends, with their addresses", "gxensemble list-connections httpd1"],
  ],
  "gxensemble lookup": [
    ["where a server is reached", "gxensemble lookup httpd1"],
    ["the servers that have a role", "gxensemble lookup --role httpd"],
  ],
  "gxensemble authorize": [
    [
      "the actors in deployer may load code into httpd1 and shut it down",
      'gxensemble authorize httpd1 deployer "(loader shutdown)"',
    ],
    ["who may do what in httpd1", "gxensemble authorize --list httpd1"],
  ],
  "gxensemble retract": [
    ["the actors in deployer may do no more than others", "gxensemble retract httpd1 deployer"],
  ],
  "gxensemble cookie": [
    ["once, before the first server starts", "gxensemble cookie"],
    ["a new one; servers that have the old one must be started again", "gxensemble cookie -f"],
    ["whether two hosts have the same: its fingerprint", "gxensemble cookie --view"],
  ],
  "gxensemble admin": [
    ["asks for a passphrase to encrypt the private key with", "gxensemble admin"],
    ["where no one can be asked", "gxensemble admin --passphrase-file passphrase.txt"],
    ["whether two hosts have the same: its fingerprint", "gxensemble admin --view"],
  ],
  "gxensemble ca": [
    [
      "an authority, and a certificate for a server on web1",
      "gxensemble ca setup",
      "gxensemble ca cert httpd1 --host web1.example.com",
    ],
    ["all of it by fingerprints, with capabilities", "gxensemble ca --view"],
  ],
  "gxensemble ca setup": [
    [
      "asks for a passphrase to encrypt its private keys with",
      "gxensemble ca setup --domain ensemble.internal",
    ],
  ],
  "gxensemble ca cert": [
    [
      "for a server that is reached by a name and an address",
      "gxensemble ca cert httpd1 --host web1.example.com --host 10.0.0.7",
    ],
    [
      "for one that may load code into every other server",
      'gxensemble ca cert deployer --capabilities "(loader)"',
    ],
    ["for several, all of them or none", "gxensemble ca cert httpd1 httpd2 httpd3"],
    ["for the commands typed on this host", "gxensemble ca cert console"],
  ],
  "gxensemble ca show": [
    ["each with the server it is for and until when it is good", "gxensemble ca show"],
  ],
  "gxensemble ca revoke": [
    ["then copy tls/crl.pem to every host", "gxensemble ca revoke httpd1"],
  ],
  "gxensemble env": [
    [
      "where the registry is, for all commands and servers of this host",
      "gxensemble env known-servers --set registry tcp://10.0.0.1:4000",
    ],
  ],
  "gxensemble env known-servers": [
    ["all of them, or one", "gxensemble env known-servers", "gxensemble env known-servers web1"],
    [
      "where the registry is: no command needs --registry then",
      "gxensemble env known-servers --set registry tcp://10.0.0.1:4000",
    ],
    [
      "a further address of a server, and none any more",
      "gxensemble env known-servers --add web1 tls://web1.example.com:4001",
      "gxensemble env known-servers --remove web1",
    ],
  ],
  "gxensemble completions": [
    ["bash: in ~/.bashrc", "source <(gxensemble completions bash)"],
    [
      "bash with bash-completion: in a file that is read at the first Tab",
      "mkdir -p ~/.local/share/bash-completion/completions",
      "gxensemble completions bash > ~/.local/share/bash-completion/completions/gxensemble",
    ],
    ["zsh: in ~/.zshrc, after compinit", "source <(gxensemble completions zsh)"],
    [
      "zsh: in a directory of $fpath",
      'gxensemble completions zsh > "${fpath[1]}/_gxensemble"',
    ],
    [
      "fish",
      "gxensemble completions fish > ~/.config/fish/completions/gxensemble.fish",
    ],
  ],
  "gxensemble help": [
    [
      "of a command, and of one that belongs to another",
      "gxensemble help run",
      "gxensemble help ca cert",
    ],
  ],
};
