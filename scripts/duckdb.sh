#!/bin/sh
# Put DuckDB's library and header into .duckdb/lib and .duckdb/include, and say nothing when they are there.
#
# usage: duckdb.sh
#
#   DUCKDB_HOME   a folder with lib/libduckdb.so and include/duckdb.h (or both in it) to use instead; then pkg-config
#                 is asked; then the pinned npm packages are fetched and compared with their hashes.
#
# The library is newer than the header: the npm package with the header ends at 1.4.4, whose functions the library
# still has. etl/duck/library.def names those that are used, and looks each of them up when it is loaded.
set -eu
cd "$(dirname "$0")/.."

header_version=1.4.4
header_sha256=5bb967dcbcd517670ba5f169f238fb9d6787e53752c60ebe24386169d76941ed
target=.duckdb

case $(uname -m) in
x86_64)
	platform=x64
	library_version=1.5.6-r.1
	library_sha256=1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff
	;;
aarch64)
	platform=arm64
	library_version=1.5.5-r.5 # the newest there is for it
	library_sha256=3b85f3ea438f7dc3691d7b5e6e4222ffe9127fd17885f96ca72e0c99925c348e
	;;
*)
	platform=
	library_version=
	library_sha256=
	;;
esac

want() {
	if [ -n "${DUCKDB_HOME:-}" ]; then
		echo "home $DUCKDB_HOME"
	elif pkg-config --exists duckdb 2>/dev/null; then
		echo "pkg-config $(pkg-config --modversion duckdb)"
	else
		echo "npm $library_version $header_version $platform"
	fi
}

die() {
	echo "duckdb.sh: $*" >&2
	exit 1
}

# first NAME FOLDER…: the first folder that has it.
first() {
	name=$1
	shift
	for folder in "$@"; do
		if [ -e "$folder/$name" ]; then
			echo "$folder/$name"
			return
		fi
	done
	die "no $name in: $*"
}

take_given() {
	library=$(first libduckdb.so "$1" "$1/lib")
	header=$(first duckdb.h "$2" "$2/include")
	ln -s "$(realpath "$library")" "$work/lib/libduckdb.so"
	ln -s "$(realpath "$header")" "$work/include/duckdb.h"
}

# fetch PACKAGE VERSION SHA256 MEMBER LEVELS FOLDER
fetch() {
	file=$(cd "$work" && npm pack --silent --fetch-retries 4 "$1@$2") || die "npm cannot fetch $1@$2"
	echo "$3  $work/$file" | sha256sum --check --quiet - >&2 || die "$1@$2 is not what it was when it was pinned"
	tar -xzf "$work/$file" -C "$work/$6" --strip-components="$5" "$4"
	rm "$work/$file"
}

take_npm() {
	[ -n "$platform" ] || die "no DuckDB library for $(uname -m): set DUCKDB_HOME"
	command -v npm >/dev/null || die "npm is missing: make deps installs it, or set DUCKDB_HOME"
	echo "installing: DuckDB $library_version"
	fetch "@duckdb/node-bindings-linux-$platform" "$library_version" "$library_sha256" package/libduckdb.so 1 lib
	fetch duckdb "$header_version" "$header_sha256" package/src/duckdb/src/include/duckdb.h 5 include
}

want=$(want)
if [ -e $target/lib/libduckdb.so ] && [ -e $target/include/duckdb.h ] && [ "$(cat $target/.stamp 2>/dev/null)" = "$want" ]; then
	exit 0
fi
work=$(mktemp -d ./.duckdb.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir "$work/lib" "$work/include"
case $want in
home*) take_given "$DUCKDB_HOME" "$DUCKDB_HOME" ;;
pkg-config*) take_given "$(pkg-config --variable=libdir duckdb)" "$(pkg-config --variable=includedir duckdb)" ;;
npm*) take_npm ;;
esac
echo "$want" >"$work/.stamp"
chmod 755 "$work"
rm -rf $target
mv "$work" $target
trap - EXIT
