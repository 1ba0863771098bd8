"""The page of `mien serve`: three things to do, in the visitor's browser or on the service.

    web/           the page: HTML, CSS and ES modules; web/engine/ recognises in the browser
    numbers        every number that web/engine/ needs, from where Python keeps it
    runtime        the three files of ONNX Runtime Web: a dependency, no part of the repository
    files          all files of a page with their media types, and the page for any static host
    package.json   what `npm ci` brings, with its lock file; tsconfig.json for `tsc`

What the browser computes is held to what Python computes by tests, picture by picture. There is
no bundler and no framework: what is in web/ is what browsers load.
"""
