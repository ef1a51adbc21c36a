package millrace

import java.net.URI
import java.nio.file.Files
import java.nio.file.attribute.PosixFilePermissions

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._
import org.apache.hadoop.fs.permission.FsPermission

/** Hadoop's local file system without its child processes.
  *
  * Where Hadoop's native library is missing, it starts `chmod` for every file that it creates and `readlink` for every
  * one that it renames: tens of milliseconds of each small commit. The Java runtime has both as system calls.
  */
class NativeFiles extends LocalFileSystem(new RawNativeFiles)

/** The same, as Hadoop's newer interface wants it: Spark keeps its checkpoints through that one. */
class NativeFilesContext(uri: URI, conf: Configuration) extends ChecksumFs(new RawNativeFilesContext(conf))

class RawNativeFilesContext(conf: Configuration)
    extends DelegateToFileSystem(URI.create("file:///"), new RawNativeFiles, conf, "file", false) {
  override def getUriDefaultPort: Int = -1
  override def isValidName(name: String): Boolean = true
}

class RawNativeFiles extends RawLocalFileSystem {
  override def setPermission(path: Path, permission: FsPermission): Unit = {
    val rights = Seq(permission.getUserAction, permission.getGroupAction, permission.getOtherAction).map(_.SYMBOL)
    Files.setPosixFilePermissions(pathToFile(path).toPath, PosixFilePermissions.fromString(rights.mkString))
  }

  override def getFileLinkStatus(path: Path): FileStatus =
    if (Files.isSymbolicLink(pathToFile(path).toPath)) super.getFileLinkStatus(path) else getFileStatus(path)
}
